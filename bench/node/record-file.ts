import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** Mainnet's, before every record. */
const MAGIC = 0xd9b4bef9
/** Magic and length before the record. */
export const FRAME_BYTES = 8
/** A block goes to the next pair of files when it would end beyond (Bitcoin Core's MAX_BLOCKFILE_SIZE). */
export const MAX_FILE_BYTES: number = 128 << 20

/** Bitcoin Core's BLOCKFILE_CHUNK_SIZE and UNDOFILE_CHUNK_SIZE: files grow by these steps, filled with zeros. */
const STEP_BYTES = { blk: 16 << 20, rev: 1 << 20 }
/** Longer than any record with its frame. */
const BUFFER_BYTES = 4 << 20

/** Appends records to one `blkNNNNN.dat` or `revNNNNN.dat`, each byte XOR-ed with `key[offset in the file mod 8]`. */
export class RecordFile {
  readonly #fd: number
  readonly #stepBytes: number
  readonly #key: Uint8Array
  /** What lies in it is not written yet, nor XOR-ed. */
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #buffered = 0
  #written: number

  /** Opens it behind its first `used` bytes; creates it for `used` 0. `key` has 8 bytes. */
  constructor(dir: string, kind: 'blk' | 'rev', number: number, used: number, key: Uint8Array) {
    const path = join(dir, `${kind}${String(number).padStart(5, '0')}.dat`)
    this.#fd = openSync(path, used === 0 ? 'w' : 'r+')
    this.#stepBytes = STEP_BYTES[kind]
    this.#key = key
    this.#written = used
  }

  /** Bytes of records so far, frames included. */
  get used(): number {
    return this.#written + this.#buffered
  }

  /** The length in the frame leaves out the last `checksumBytes` of the record. Copies the record. */
  append(record: Uint8Array, checksumBytes = 0): void {
    if (this.#buffered + FRAME_BYTES + record.length > BUFFER_BYTES) this.#flush()
    const at = this.#buffered
    this.#buffer.writeUInt32LE(MAGIC, at)
    this.#buffer.writeUInt32LE(record.length - checksumBytes, at + 4)
    this.#buffer.set(record, at + FRAME_BYTES)
    this.#buffered += FRAME_BYTES + record.length
  }

  /** For a file that is left for good: it ends with its last record. */
  finish(): void {
    this.#flush()
    ftruncateSync(this.#fd, this.#written)
    closeSync(this.#fd)
  }

  /** For a file that will grow on: zeros follow up to the next step. They are written, as posix_fallocate does. */
  close(): void {
    this.#flush()
    const end = Math.ceil(this.#written / this.#stepBytes) * this.#stepBytes
    this.#buffer.fill(0)
    for (let at = this.#written; at < end; at += BUFFER_BYTES)
      this.#write(this.#buffer.subarray(0, Math.min(BUFFER_BYTES, end - at)), at)
    closeSync(this.#fd)
  }

  #flush(): void {
    const bytes = this.#buffer.subarray(0, this.#buffered)
    obfuscate(bytes, this.#key, this.#written)
    this.#write(bytes, this.#written)
    this.#written += this.#buffered
    this.#buffered = 0
  }

  #write(bytes: Uint8Array, offset: number): void {
    for (let done = 0; done < bytes.length; )
      done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done)
  }
}

/**
 * XORs `bytes`, which lie at `offset` of a stream, with the 8-byte `key` repeated over that stream.
 * Two words a turn: eight times the speed of a loop over bytes, which would take most of the generator's time.
 * `bytes` must start at a multiple of 4 of its memory.
 */
export function obfuscate(bytes: Uint8Array, key: Uint8Array, offset: number): void {
  const turned = Uint8Array.from({ length: 8 }, (_, i) => key[(offset + i) % 8]!)
  const keyWords = new Int32Array(turned.buffer)
  const low = keyWords[0]!
  const high = keyWords[1]!
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, (bytes.length >>> 3) * 2)
  for (let i = 0; i < words.length; i += 2) {
    words[i]! ^= low
    words[i + 1]! ^= high
  }
  for (let i = words.length * 4; i < bytes.length; i++) bytes[i]! ^= turned[i % 8]!
}
