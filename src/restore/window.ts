import { ID_BYTES, type PackId } from '../base/ids.ts'
import type { ChunkRun } from '../repository/lists.ts'
import type { Location } from '../repository/object-index.ts'
import type { FileWork } from './file-work.ts'

/** Chunk writes that are gathered before their packs are read: some 8 GB of files at 64 KiB a chunk. */
export const WINDOW_WRITES: number = 2 ** 17
/** In the first window, and how much larger each is than the one before. */
export const FIRST_WINDOW_WRITES: number = 2 ** 11
export const WINDOW_GROWTH = 4
/** … unless so many files come first, of some 500 bytes each. */
export const WINDOW_FILES: number = 2 ** 14
/** A pack is read in ranges of at most this (or one object), so that several threads share it. */
export const READ_BYTES: number = 4 * 2 ** 20
/** Bytes between two objects that are sooner read than skipped. */
const GAP_BYTES = 128 * 1024

/** Part of a pack that is read at once, and the writes that it feeds: those at `from` to `to` (exclusive) of the order. */
export interface PackRead {
  readonly pack: PackId
  readonly offset: number
  readonly length: number
  readonly from: number
  readonly to: number
}

/**
 * Chunk writes of many files, in columns: write i is the chunk `ids[i × 32 …]`, `lengths[i]` bytes long, that belongs at
 * `fileOffsets[i]` of `files[fileNumbers[i]]`. Once located, the other columns say where it is stored.
 * Memory: 65 bytes × `capacity`, and as much again while the reads are planned.
 */
export class Window {
  readonly capacity: number
  readonly files: FileWork[] = []
  /** Files whose last write is in the window, or that need none. */
  readonly complete: FileWork[] = []
  readonly ids: Uint8Array
  readonly lengths: Uint32Array
  readonly fileNumbers: Uint32Array
  readonly fileOffsets: Float64Array
  readonly offsets: Uint32Array
  readonly storedLengths: Uint32Array
  readonly codecs: Uint8Array
  readonly #packNumbers: Uint32Array
  readonly #packs = new Map<PackId, number>()
  #count = 0

  constructor(capacity: number) {
    this.capacity = capacity
    this.ids = new Uint8Array(capacity * ID_BYTES)
    this.lengths = new Uint32Array(capacity)
    this.fileNumbers = new Uint32Array(capacity)
    this.fileOffsets = new Float64Array(capacity)
    this.offsets = new Uint32Array(capacity)
    this.storedLengths = new Uint32Array(capacity)
    this.codecs = new Uint8Array(capacity)
    this.#packNumbers = new Uint32Array(capacity)
  }

  get count(): number {
    return this.#count
  }

  hasRoomFor(writes: number): boolean {
    return this.#count + writes <= this.capacity && this.complete.length < WINDOW_FILES
  }

  /** Adds the chunks of a run but for those that are there already (1 in `same`). Borrows both. */
  add(file: FileWork, run: ChunkRun, same: Uint8Array): void {
    if (this.files.at(-1) !== file) this.files.push(file)
    let offset = run.offset
    for (const [i, length] of run.lengths.entries()) {
      if (same[i] !== 1) {
        const at = this.#count++
        this.ids.set(run.ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES), at * ID_BYTES)
        this.lengths[at] = length
        this.fileNumbers[at] = this.files.length - 1
        this.fileOffsets[at] = offset
      }
      offset += length
    }
  }

  fileOf(write: number): FileWork {
    return this.files[this.fileNumbers[write]!]!
  }

  /** Says where the chunk of a write is, or that nobody knows. */
  locate(write: number, location: Location | undefined): void {
    this.#packNumbers[write] = location ? this.#numberOf(location.pack) : NOWHERE
    this.offsets[write] = location?.offset ?? 0
    this.storedLengths[write] = location?.storedLength ?? 0
    this.codecs[write] = location?.codec ?? 0
  }

  /** The writes with a location by pack, in the order in which the files came to need them, and from front to back in each. */
  order(): Uint32Array {
    const packs = this.#packNumbers
    const { offsets } = this
    const located = Uint32Array.from({ length: this.#count }, (_, i) => i).filter((i) => packs[i] !== NOWHERE)
    return located.sort((a, b) => packs[a]! - packs[b]! || offsets[a]! - offsets[b]! || a - b)
  }

  /** Splits what `order` answered into reads. `recordBytes` is the length of a record's header. */
  planReads(order: Uint32Array, recordBytes: number): PackRead[] {
    const packs = [...this.#packs.keys()]
    const reads: PackRead[] = []
    for (let from = 0, to = 0; from < order.length; from = to) {
      const pack = this.#packNumbers[order[from]!]!
      const offset = this.offsets[order[from]!]!
      let end = offset
      for (; to < order.length; to++) {
        const write = order[to]!
        const start = this.offsets[write]!
        const nextEnd = start + recordBytes + this.storedLengths[write]!
        const isFar = start > end + GAP_BYTES || nextEnd > offset + READ_BYTES
        if (this.#packNumbers[write] !== pack || (to > from && isFar)) break
        end = Math.max(end, nextEnd)
      }
      reads.push({ pack: packs[pack]!, offset, length: end - offset, from, to })
    }
    return reads
  }

  #numberOf(pack: PackId): number {
    let number = this.#packs.get(pack)
    if (number === undefined) this.#packs.set(pack, (number = this.#packs.size))
    return number
  }
}

const NOWHERE = 2 ** 32 - 1
