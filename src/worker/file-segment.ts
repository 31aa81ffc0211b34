import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { type ByteString, fromByteString } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import { type Extent, extentAt } from '../native/posix.ts'
import { fileSignature } from './file-signature.ts'

/** A segment that is taken front to back: before each `read`, `zerosAt` must have answered 0. */
export interface SegmentSource {
  /** Where it lies in its file. */
  readonly offset: number
  readonly length: number
  /** Copies up to `room` bytes to `target` at `at`, those from `done` on in the segment; returns how many, 0 at its end. */
  read(target: Buffer, at: number, room: number, done: number): number
  /** How many zeros, which need not be read, there are from `done` on. */
  zerosAt(done: number): number
}

/** Asking where holes are takes a library whose loading takes as long as reading so many zeros. */
const LEAST_HOLE_BYTES = 16 * 2 ** 20

/** A segment of an open file. Throws what opening it does, and IO for what is no regular file. */
export class FileSegment implements SegmentSource, Disposable {
  readonly offset: number
  readonly length: number
  /** The `fileSignature` when it was opened. */
  readonly before: string
  readonly #fd: number
  readonly #fileBytes: number
  #extent: Extent = { isHole: false, end: 0 }

  /** Holes are looked for only in files that were last changed before `holesBeforeMs`. */
  constructor(path: ByteString, offset: number, length: number, holesBeforeMs: number) {
    this.#fd = openWithoutWaiting(path)
    try {
      const stats = this.#stat()
      if (!stats.isFile()) throw new ChainkeepError('IO', 'it is not a regular file any more')
      this.before = fileSignature(stats)
      this.#fileBytes = Number(stats.size)
      if (!mayHaveHoles(stats, holesBeforeMs)) this.#extent = { isHole: false, end: Number.POSITIVE_INFINITY }
    } catch (error) {
      closeSync(this.#fd)
      throw error
    }
    this.offset = offset
    this.length = length
  }

  /** The `fileSignature` by now. */
  signature(): string {
    return fileSignature(this.#stat())
  }

  read(target: Buffer, at: number, room: number, done: number): number {
    const from = this.offset + done
    const toHole = from < this.#extent.end ? this.#extent.end - from : room
    return readSync(this.#fd, target, at, Math.min(room, toHole), from)
  }

  zerosAt(done: number): number {
    const at = this.offset + done
    if (at >= this.#fileBytes) return 0
    if (at >= this.#extent.end) this.#extent = extentAt(this.#fd, at)
    if (!this.#extent.isHole) return 0
    return Math.min(this.#extent.end, this.#fileBytes, this.offset + this.length) - at
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }

  #stat(): BigIntStats {
    return fstatSync(this.#fd, { bigint: true })
  }
}

/** Without following a symbolic link, or waiting for the writer of what has become a FIFO. */
function openWithoutWaiting(path: ByteString): number {
  return openSync(fromByteString(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
}

/** 512: the unit of st_blocks, whatever the file system's own is (stat(2)). */
function mayHaveHoles({ size, blocks, ctimeNs }: BigIntStats, beforeMs: number): boolean {
  return size - blocks * 512n >= LEAST_HOLE_BYTES && Number(ctimeNs / 1_000_000n) < beforeMs
}

/** Bytes that come from elsewhere than a file. */
export function bytesSegment(bytes: Uint8Array): SegmentSource {
  return {
    offset: 0,
    length: bytes.length,
    read(target, at, room, done) {
      const part = bytes.subarray(done, done + room)
      target.set(part, at)
      return part.length
    },
    zerosAt: () => 0,
  }
}
