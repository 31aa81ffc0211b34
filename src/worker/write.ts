import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { type ByteString, displayBytes, fromByteString, isAllZero } from '../base/bytes.ts'
import { describeFailure } from './failure.ts'
import type { TaskFailure } from './tasks.ts'
import type { Tools } from './tools.ts'
import { openObjects, type PackedObject } from './verify.ts'

/** Opens chunks of a pack and writes them to where they belong, each checked against its id first. */
export interface WriteTask {
  /** Part of a pack, whose file is called `file`, beginning at `offset` of it. */
  readonly bytes: Uint8Array
  readonly file: string
  readonly offset: number
  readonly objects: readonly PackedObject[]
  /** Existing files. */
  readonly paths: readonly ByteString[]
  /** Three numbers for each write: object, path, offset in that file; in the order of objects. */
  readonly writes: Float64Array
  /** For each path 1 if zeros need not be written, because the file is a hole there. */
  readonly skipZeros: Uint8Array
}

export interface WriteResult {
  readonly bytesWritten: number
  /** Objects that could not be opened, and paths that could not be written. */
  readonly failures: readonly (TaskFailure & ({ readonly object: number } | { readonly path: number }))[]
}

export async function runWrite(task: WriteTask, tools: Tools): Promise<WriteResult> {
  const { writes } = task
  const files = new TargetFiles(task)
  const skipsZeros = task.skipZeros.includes(1)
  let bytesWritten = 0
  let at = 0
  try {
    const failures = openObjects(task, tools, (object, plain) => {
      const isZero = skipsZeros && isAllZero(plain)
      while (writes[at]! < object) at += 3 // of objects that could not be opened
      for (; writes[at] === object; at += 3) {
        const path = writes[at + 1]!
        if (isZero && task.skipZeros[path] === 1) continue
        if (files.write(path, plain, writes[at + 2]!)) bytesWritten += plain.length
      }
    })
    return { bytesWritten, failures: [...failures, ...files.failures] }
  } finally {
    files.close()
  }
}

/** The files of one task, opened when first written to. A file that failed once is left alone. */
class TargetFiles {
  readonly failures: (TaskFailure & { path: number })[] = []
  readonly #paths: readonly ByteString[]
  readonly #open = new Map<number, number>()
  readonly #failed = new Set<number>()

  constructor({ paths }: WriteTask) {
    this.#paths = paths
  }

  write(path: number, bytes: Uint8Array, offset: number): boolean {
    if (this.#failed.has(path)) return false
    try {
      const fd = this.#fd(path)
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, offset + done)
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
    if (this.#open.size >= MAX_OPEN_FILES) this.close()
    // Not through a symbolic link, and without waiting for a reader should it have become a FIFO meanwhile.
    const flags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    fd = openSync(fromByteString(this.#paths[path]!), flags)
    this.#open.set(path, fd)
    return fd
  }

  close(): void {
    for (const fd of this.#open.values()) closeSync(fd)
    this.#open.clear()
  }
}

const MAX_OPEN_FILES = 64
