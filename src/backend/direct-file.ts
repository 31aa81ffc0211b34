import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import { dirname } from 'node:path'
import { copyBytes } from '../base/bytes.ts'
import { ChainkeepError, errnoOf } from '../base/errors.ts'
import { WRITE_BYTES } from '../base/writing.ts'

/** So much is written by one call while the next as much is gathered. */
export const BLOCK_BYTES: number = 2 * 1024 * 1024
/** What offsets and lengths are multiples of: no disk's sectors are larger. */
export const ALIGNMENT: number = 4096

/** File systems on disks of this machine, by their number in statfs(2): ext2 to 4, xfs, btrfs. */
const ON_LOCAL_DISKS: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e])

/** Node.js has it; its types leave it to browsers'. */
declare const WebAssembly: { Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer } }

/** Two blocks that begin with a page, as open(2) wants it for O_DIRECT: JavaScript has no other memory that does. */
type Blocks = readonly [Uint8Array, Uint8Array]
const spare: Blocks[] = []
const MOST_SPARE = 2

function takeBlocks(): Blocks {
  const lent = spare.pop()
  if (lent) return lent
  const { buffer } = new WebAssembly.Memory({ initial: (2 * BLOCK_BYTES) / 65_536 }) // in units of 64 KiB
  return [new Uint8Array(buffer, 0, BLOCK_BYTES), new Uint8Array(buffer, BLOCK_BYTES)]
}

/** Opens an existing file so that writes go past the page cache. Undefined where they cannot, or would be no faster for it. */
export async function openDirect(path: string): Promise<fs.FileHandle | undefined> {
  if (constants.O_DIRECT === undefined) return undefined
  try {
    const { type } = await fs.statfs(dirname(path))
    return ON_LOCAL_DISKS.has(type) ? await fs.open(path, constants.O_WRONLY | constants.O_DIRECT) : undefined
  } catch {
    return undefined // what is wrong with the file, if anything, comes out when it is written
  }
}

/**
 * A NewFile that is written past the page cache, but for its end: the pages of packs are rarely read soon, and to find,
 * fill and write back each takes longer than all the rest. Owns both handles. What a call could not write, a later one
 * reports: at last `sync` and `close`.
 */
export class DirectFile {
  readonly #cached: fs.FileHandle
  #direct: fs.FileHandle | undefined
  #blocks: Blocks = takeBlocks()
  #filled = 0
  /** Bytes that are written or being written. */
  #written = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(cached: fs.FileHandle, direct: fs.FileHandle) {
    this.#cached = cached
    this.#direct = direct
  }

  async write(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      for (let at = 0; at < part.length; ) {
        const piece = part.subarray(at, at + BLOCK_BYTES - this.#filled)
        copyBytes(piece, this.#blocks[0], this.#filled)
        this.#filled += piece.length
        at += piece.length
        if (this.#filled === BLOCK_BYTES) await this.#flush()
      }
    }
  }

  async sync(): Promise<void> {
    await this.#flush()
    await this.#writing
    await this.#cached.datasync()
  }

  async close(): Promise<void> {
    try {
      await this.#flush()
      await this.#writing
    } finally {
      if (spare.length < MOST_SPARE) spare.push(this.#blocks)
      await Promise.all([this.#direct?.close(), this.#cached.close()])
    }
  }

  /** Begins to write what is filled, once the block before is written. Only the last may not be full. */
  async #flush(): Promise<void> {
    await this.#writing
    if (this.#filled === 0) return
    const [block, other] = this.#blocks
    this.#writing = this.#writeAt(this.#written, block.subarray(0, this.#filled))
    this.#writing.catch(() => {}) // reported by what comes after it
    this.#written += this.#filled
    this.#filled = 0
    this.#blocks = [other, block]
  }

  async #writeAt(position: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const written = await this.#writeSome(bytes.subarray(done), position + done)
      if (written === 0) throw new ChainkeepError('IO', 'the file system wrote nothing')
      done += written
    }
  }

  async #writeSome(bytes: Uint8Array, position: number): Promise<number> {
    const aligned = bytes.length - (bytes.length % ALIGNMENT)
    if (this.#direct && aligned > 0) {
      try {
        return (await this.#direct.write(bytes, 0, aligned, position)).bytesWritten
      } catch (error) {
        if (errnoOf(error) !== 'EINVAL') throw error
        await this.#direct.close() // a disk that wants more than it should
        this.#direct = undefined
      }
    }
    return (await this.#cached.write(bytes, 0, Math.min(bytes.length, WRITE_BYTES), position)).bytesWritten
  }
}
