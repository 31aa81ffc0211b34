import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { ByteWriter } from '../base/bytes.ts'
import { errnoOf } from '../base/errors.ts'

/** file = block …; block = u32 length | u32 CRC-32 | bytes. What the bytes mean may go on from one block to the next. */
const HEAD_BYTES = 8
const MAX_BLOCK_BYTES = 2 ** 24

/** Writes a file that only this machine reads, and that may be cut off or damaged at any place. Throws what node:fs does. */
export class BlockWriter {
  readonly #blockBytes: number
  #fd: number | undefined
  #parts: Uint8Array[] = []
  #bytes = 0

  /** Makes the file, which must not exist. A block is written once it has `blockBytes`. */
  constructor(path: string, blockBytes: number) {
    this.#blockBytes = blockBytes
    this.#fd = openSync(path, 'wx', 0o600)
  }

  /** Borrows the bytes until the next call of any method. */
  push(bytes: Uint8Array): void {
    this.#parts.push(bytes)
    this.#bytes += bytes.length
    if (this.#bytes >= this.#blockBytes) this.flush()
  }

  /** Writes what is left as a block of its own. */
  flush(): void {
    if (this.#bytes === 0) return
    const block = Buffer.concat(this.#parts)
    this.#parts = []
    this.#bytes = 0
    const bytes = new ByteWriter(HEAD_BYTES + block.length).u32(block.length).u32(crc32(block)).bytes(block).finish()
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd!, bytes, done)
  }

  /** Gives up what is not written yet. */
  close(): void {
    if (this.#fd === undefined) return
    const fd = this.#fd
    this.#fd = undefined
    closeSync(fd)
  }
}

/** Reads such a file. What is damaged or cannot be read is its end. Memory: one block, and what is taken at once. */
export class BlockReader {
  #fd: number | undefined
  #rest: Uint8Array = new Uint8Array(0)

  /** Throws what opening the file does. */
  constructor(path: string) {
    this.#fd = openSync(path, 'r')
  }

  /** The next bytes, across blocks; `undefined` at the end. */
  take(length: number): Uint8Array | undefined {
    while (this.#rest.length < length) {
      const block = this.#readBlock()
      if (!block) return undefined
      this.#rest = this.#rest.length === 0 ? block : Buffer.concat([this.#rest, block])
    }
    const bytes = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return bytes
  }

  /** Bytes that follow their own length, a number of `size` bytes. */
  takeSized(size: 1 | 2 | 4): Uint8Array | undefined {
    const head = this.take(size)
    if (!head) return undefined
    return this.take(Buffer.from(head).readUIntLE(0, size))
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  /** Nothing of a block is believed before its checksum fits. */
  #readBlock(): Uint8Array | undefined {
    if (this.#fd === undefined) return undefined
    const head = Buffer.alloc(HEAD_BYTES)
    if (readFully(this.#fd, head) < head.length) return undefined
    const length = head.readUInt32LE(0)
    if (length > MAX_BLOCK_BYTES) return undefined
    const block = Buffer.allocUnsafe(length)
    return readFully(this.#fd, block) === length && crc32(block) === head.readUInt32LE(4) ? block : undefined
  }
}

/** Returns how many bytes there were before the end, or before what the device cannot read. */
function readFully(fd: number, buffer: Buffer): number {
  let done = 0
  try {
    while (done < buffer.length) {
      const count = readSync(fd, buffer, done, buffer.length - done, null)
      if (count === 0) break
      done += count
    }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
  }
  return done
}
