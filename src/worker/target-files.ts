import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { type ByteString, displayBytes, fromByteString } from '../base/bytes.ts'
import { WRITE_BYTES } from '../base/writing.ts'
import { describeFailure } from './failure.ts'
import type { TaskFailure } from './tasks.ts'

const MAX_OPEN_FILES = 64

/** The files of one task, opened when first written to. A file that failed once is left alone. */
export class TargetFiles implements Disposable {
  readonly failures: (TaskFailure & { path: number })[] = []
  readonly #paths: readonly ByteString[]
  readonly #open = new Map<number, number>()
  readonly #failed = new Set<number>()

  constructor(paths: readonly ByteString[]) {
    this.#paths = paths
  }

  /** Answers whether it worked. */
  write(path: number, bytes: Uint8Array, offset: number): boolean {
    if (this.#failed.has(path)) return false
    try {
      const fd = this.#fd(path)
      for (let done = 0; done < bytes.length; )
        done += writeSync(fd, bytes, done, Math.min(bytes.length - done, WRITE_BYTES), offset + done)
      return true
    } catch (error) {
      this.#failed.add(path)
      this.failures.push({ path, ...describeFailure(error, `cannot write ${displayBytes(this.#paths[path]!)}`) })
      return false
    }
  }

  #fd(path: number): number {
    let fd = this.#open.get(path)
    if (fd !== undefined) return fd
    if (this.#open.size >= MAX_OPEN_FILES) this.#close()
    // Not through a symbolic link, and without waiting for a reader should it have become a FIFO meanwhile.
    const flags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    fd = openSync(fromByteString(this.#paths[path]!), flags)
    this.#open.set(path, fd)
    return fd
  }

  #close(): void {
    for (const fd of this.#open.values()) closeSync(fd)
    this.#open.clear()
  }

  [Symbol.dispose](): void {
    this.#close()
  }
}
