import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { ByteString } from '../base/bytes.ts'
import { errnoOf } from '../base/errors.ts'

/** file = block …; block = u32 length | u32 CRC-32 | bytes. What the bytes mean may go on from one block to the next. */
const HEAD_BYTES = 8
const MAX_BLOCK_BYTES = 2 ** 24
/** What is written at once may reach so far beyond the end of a block, and hardly ever does. */
const SPARE_BYTES = 4096

/** Writes a file that only this machine reads, and that may be cut off or damaged at any place. Throws what node:fs does. */
export class BlockWriter {
  readonly #blockBytes: number
  #fd: number | undefined
  /** The head and what is in the block so far. */
  #block: Buffer
  #end = HEAD_BYTES

  /** Makes the file, which must not exist. A block is written once it has `blockBytes`. */
  constructor(path: string, blockBytes: number) {
    this.#blockBytes = blockBytes
    this.#block = Buffer.allocUnsafeSlow(HEAD_BYTES + blockBytes + SPARE_BYTES)
    this.#fd = openSync(path, 'wx', 0o600)
  }

  u8(value: number): this {
    this.#reserve(1)
    this.#end = this.#block.writeUInt8(value, this.#end)
    return this.#flushFull()
  }

  push(bytes: Uint8Array): this {
    this.#reserve(bytes.length)
    this.#block.set(bytes, this.#end)
    this.#end += bytes.length
    return this.#flushFull()
  }

  /** Bytes, or text of one char a byte, behind their length, a number of `size` bytes. */
  sized(size: 1 | 2 | 4, content: string | Uint8Array): this {
    this.#reserve(size + content.length)
    this.#end = this.#block.writeUIntLE(content.length, this.#end, size)
    if (typeof content !== 'string') return this.push(content)
    this.#end += this.#block.write(content, this.#end, 'latin1')
    return this.#flushFull()
  }

  /** Writes what is left as a block of its own. */
  flush(): void {
    if (this.#end === HEAD_BYTES) return
    const bytes = this.#block.subarray(0, this.#end)
    const content = bytes.subarray(HEAD_BYTES)
    bytes.writeUInt32LE(content.length, 0)
    bytes.writeUInt32LE(crc32(content), 4)
    this.#end = HEAD_BYTES
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd!, bytes, done)
  }

  /** Gives up what is not written yet. */
  close(): void {
    if (this.#fd === undefined) return
    const fd = this.#fd
    this.#fd = undefined
    closeSync(fd)
  }

  #reserve(length: number): void {
    if (this.#end + length <= this.#block.length) return
    const larger = Buffer.allocUnsafeSlow(2 * (this.#end + length))
    this.#block.copy(larger, 0, 0, this.#end)
    this.#block = larger
  }

  #flushFull(): this {
    if (this.#end >= HEAD_BYTES + this.#blockBytes) this.flush()
    return this
  }
}

/** Reads such a file. What is damaged or cannot be read is its end. Memory: one block, and what is taken at once. */
export class BlockReader {
  #fd: number | undefined
  #block: Buffer = Buffer.alloc(0)
  #at = 0

  /** Throws what opening the file does. */
  constructor(path: string) {
    this.#fd = openSync(path, 'r')
  }

  /** The next bytes, across blocks; `undefined` at the end. */
  take(length: number): Buffer | undefined {
    const at = this.#advance(length)
    return at === undefined ? undefined : this.#block.subarray(at, at + length)
  }

  /** A number of `size` bytes. */
  number(size: 1 | 2 | 4): number | undefined {
    const at = this.#advance(size)
    return at === undefined ? undefined : this.#block.readUIntLE(at, size)
  }

  /** Bytes that follow their own length, a number of `size` bytes. */
  takeSized(size: 1 | 2 | 4): Buffer | undefined {
    const length = this.number(size)
    return length === undefined ? undefined : this.take(length)
  }

  /** The same as text. */
  textSized(size: 1 | 2 | 4): ByteString | undefined {
    const length = this.number(size)
    const at = length === undefined ? undefined : this.#advance(length)
    return at === undefined ? undefined : (this.#block.toString('latin1', at, at + length!) as ByteString)
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  /** Passes over so many bytes, and answers where they are in the block; `undefined` if there are fewer. */
  #advance(length: number): number | undefined {
    while (this.#block.length - this.#at < length) {
      const block = this.#readBlock()
      if (!block) return undefined
      this.#block = Buffer.concat([this.#block.subarray(this.#at), block])
      this.#at = 0
    }
    this.#at += length
    return this.#at - length
  }

  /** Nothing of a block is believed before its checksum fits. */
  #readBlock(): Buffer | undefined {
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
