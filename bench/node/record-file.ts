import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { zeros } from './random.ts'

/** Mainnet's, before every record. */
const MAGIC = 0xd9b4bef9
/** Magic and length before the record. */
export const FRAME_BYTES = 8
/** A block goes to the next pair of files when it would end beyond (Bitcoin Core's MAX_BLOCKFILE_SIZE). */
export const MAX_FILE_BYTES: number = 128 << 20

/** Bitcoin Core's BLOCKFILE_CHUNK_SIZE and UNDOFILE_CHUNK_SIZE: files grow by these steps, filled with zeros. */
const STEP_BYTES = { blk: 16 << 20, rev: 1 << 20 }

/** Appends records to one `blkNNNNN.dat` or `revNNNNN.dat`, each byte XOR-ed with `key[offset in the file mod 8]`. */
export class RecordFile {
  readonly #file: FileHandle
  readonly #stepBytes: number
  readonly #key: Uint8Array
  #used: number

  private constructor(file: FileHandle, stepBytes: number, key: Uint8Array, used: number) {
    this.#file = file
    this.#stepBytes = stepBytes
    this.#key = key
    this.#used = used
  }

  /** Opens it behind its first `used` bytes; creates it for `used` 0. */
  static async open(
    dir: string,
    kind: 'blk' | 'rev',
    number: number,
    used: number,
    key: Uint8Array,
  ): Promise<RecordFile> {
    const path = join(dir, `${kind}${String(number).padStart(5, '0')}.dat`)
    return new RecordFile(await open(path, used === 0 ? 'w' : 'r+'), STEP_BYTES[kind], key, used)
  }

  /** Bytes of records so far, frames included. */
  get used(): number {
    return this.#used
  }

  /** The length in the frame leaves out the last `checksumBytes` of the record. */
  async append(record: Uint8Array, checksumBytes = 0): Promise<void> {
    const framed = Buffer.allocUnsafeSlow(FRAME_BYTES + record.length)
    framed.writeUInt32LE(MAGIC, 0)
    framed.writeUInt32LE(record.length - checksumBytes, 4)
    framed.set(record, FRAME_BYTES)
    obfuscate(framed, this.#key, this.#used)
    await this.#file.write(framed, 0, framed.length, this.#used)
    this.#used += framed.length
  }

  /** For a file that is left for good: it ends with its last record. */
  async finish(): Promise<void> {
    await this.#file.truncate(this.#used)
    await this.#file.close()
  }

  /** For a file that will grow on: zeros follow up to the next step. They are written, as posix_fallocate does. */
  async close(): Promise<void> {
    const tail = (this.#stepBytes - (this.#used % this.#stepBytes)) % this.#stepBytes
    for (let done = 0; done < tail; ) {
      const { bytesWritten } = await this.#file.write(zeros(Math.min(tail - done, 1 << 20)), 0, null, this.#used + done)
      done += bytesWritten
    }
    await this.#file.close()
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
