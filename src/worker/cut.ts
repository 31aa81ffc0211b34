import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { type ByteString, fromByteString, isAllZero } from '../base/bytes.ts'
import { ChainkeepError, reasonOf } from '../base/errors.ts'
import { ID_BYTES } from '../base/ids.ts'
import { type ObjectHeader, RECORD_HEADER_BYTES, recordLength, sealObject } from '../format/object.ts'
import { hashChunks } from '../native/hash.ts'
import { type CutParameters, endsAtMost, type FindCuts } from '../native/scan.ts'
import { fileSignature } from './file-signature.ts'
import type { Ask } from './tasks.ts'
import type { Effort, Tools } from './tools.ts'

/** Reads parts of files, cuts them into chunks, hashes them, and seals those that the asker wants. */
export interface CutTask {
  readonly files: readonly CutFile[]
  readonly parameters: CutParameters
  readonly effort: Effort
}

/** One segment: the chunker starts afresh with each. */
export type CutFile =
  | { readonly path: ByteString; readonly offset: number; readonly length: number }
  /** Bytes that come from elsewhere than a file. */
  | { readonly bytes: Uint8Array }

export interface CutResult {
  /** In the order of the task. */
  readonly files: readonly CutFileResult[]
  /** Ids (packed) and lengths of all chunks of all files, in order. */
  readonly ids: Uint8Array
  readonly lengths: Uint32Array
}

export interface CutFileResult {
  readonly chunkCount: number
  /** May be less than was asked for: the file is shorter now. */
  readonly bytes: number
  /** `fileSignature` when it was opened, and after the last byte was read; both empty for bytes from elsewhere. */
  readonly before: string
  readonly after: string
  /** Set if it could not be read (to the end): why, for people. */
  readonly failure?: string
}

/** What a cut task asks: which of these chunks to seal (answer: a Uint8Array of 0 or 1 each), and to store those. */
export type CutQuestion =
  | { readonly type: 'claim'; readonly ids: Uint8Array }
  | {
      readonly type: 'store'
      readonly ids: Uint8Array
      readonly headers: readonly ObjectHeader[]
      readonly records: Uint8Array
    }

/** Bytes read before the chunks among them are asked about, besides those carried over from the slice before. */
const SLICE_BYTES = 4 * 2 ** 20
/** While one slice waits for its answer the next is read. */
const SLICES_IN_FLIGHT = 2

export async function runCut(task: CutTask, tools: Tools, ask: Ask): Promise<CutResult> {
  const slices = new SliceCutter(task, tools, ask)
  const files: CutFileResult[] = []
  try {
    for (const file of task.files)
      files.push('bytes' in file ? await slices.addBytes(file.bytes) : await slices.addFile(file))
    await slices.finish()
  } finally {
    await slices.settle()
  }
  return { files, ids: Buffer.concat(slices.ids), lengths: Uint32Array.from(slices.lengths) }
}

/** Fills one slice after another, and sends each on its way when it is full. */
class SliceCutter {
  readonly ids: Uint8Array[] = []
  readonly lengths: number[] = []
  readonly #parameters: CutParameters
  readonly #findCuts: FindCuts
  readonly #effort: Effort
  readonly #tools: Tools
  readonly #ask: Ask
  readonly #inFlight: Promise<void>[] = []
  #slice: Buffer
  readonly #ends: Uint32Array
  /** Chunks found in the slice, where the open chunk starts, and where the bytes end. */
  #count = 0
  #open = 0
  #filled = 0

  constructor(task: CutTask, tools: Tools, ask: Ask) {
    this.#parameters = task.parameters
    this.#findCuts = tools.findCuts(task.parameters)
    this.#effort = task.effort
    this.#tools = tools
    this.#ask = ask
    this.#slice = tools.borrow(this.#capacity)
    // Every file may end with a chunk shorter than the minimum.
    this.#ends = new Uint32Array(endsAtMost(this.#capacity, task.parameters) + task.files.length)
  }

  get #capacity(): number {
    return SLICE_BYTES + this.#parameters.maxBytes
  }

  async addFile({
    path,
    offset,
    length,
  }: {
    path: ByteString
    offset: number
    length: number
  }): Promise<CutFileResult> {
    let opened: { fd: number; before: string }
    try {
      opened = openRegular(path)
    } catch (error) {
      return { chunkCount: 0, bytes: 0, before: '', after: '', failure: reasonOf(error) }
    }
    const { fd, before } = opened
    const chunksBefore = this.lengths.length
    let failure: string | undefined
    let after = ''
    try {
      const bytes = await this.#fill(length, (target, at, room, done) => {
        try {
          const count = readSync(fd, target, at, room, offset + done)
          if (count === 0 || done + count === length) after = fileSignature(fstatSync(fd, { bigint: true }))
          return count
        } catch (error) {
          failure = reasonOf(error)
          return 0 // what was read before stays
        }
      })
      return { chunkCount: this.lengths.length - chunksBefore, bytes, before, after, failure }
    } finally {
      closeSync(fd)
    }
  }

  async addBytes(source: Uint8Array): Promise<CutFileResult> {
    const chunksBefore = this.lengths.length
    const bytes = await this.#fill(source.length, (target, at, room, done) => {
      const part = source.subarray(done, done + room)
      target.set(part, at)
      return part.length
    })
    return { chunkCount: this.lengths.length - chunksBefore, bytes, before: '', after: '' }
  }

  /** Reads up to `length` bytes of one segment and cuts them. Returns how many there were. */
  async #fill(
    length: number,
    read: (target: Buffer, at: number, room: number, done: number) => number,
  ): Promise<number> {
    let done = 0
    while (done < length) {
      if (this.#filled === this.#capacity) {
        this.#cut(false)
        await this.#sendSlice()
      }
      const room = Math.min(length - done, this.#capacity - this.#filled)
      const count = read(this.#slice, this.#filled, room, done)
      if (count === 0) break
      this.#filled += count
      done += count
    }
    this.#cut(true)
    return done
  }

  #cut(last: boolean): void {
    const ends = this.#ends.subarray(this.#count)
    const found = this.#findCuts(this.#slice, this.#open, this.#filled, last, ends)
    let start = this.#open
    for (let i = 0; i < found; i++) {
      this.lengths.push(ends[i]! - start)
      start = ends[i]!
    }
    this.#open = start
    this.#count += found
  }

  /** Sends what is cut on its way, and carries the open chunk over into a new slice. */
  async #sendSlice(): Promise<void> {
    const slice = this.#slice
    const carried = slice.subarray(this.#open, this.#filled)
    const next = this.#tools.borrow(this.#capacity)
    next.set(carried)
    const task = this.#process(slice, this.#ends.slice(0, this.#count)).finally(() => this.#tools.giveBack(slice))
    task.catch(() => {}) // reported when its turn comes
    this.#inFlight.push(task)
    this.#slice = next
    this.#filled = carried.length
    this.#open = 0
    this.#count = 0
    if (this.#inFlight.length >= SLICES_IN_FLIGHT) await this.#inFlight.shift()
  }

  async #process(slice: Buffer, ends: Uint32Array): Promise<void> {
    if (ends.length === 0) return
    const ids = new Uint8Array(ends.length * ID_BYTES)
    this.#hash(slice, ends, ids)
    this.ids.push(ids)
    const wanted = (await this.#ask({ type: 'claim', ids } satisfies CutQuestion)) as Uint8Array
    const sealed = this.#seal(slice, ends, ids, wanted)
    if (sealed) await this.#ask(sealed, [sealed.records.buffer as ArrayBuffer])
  }

  /** Chunks of nothing but zeros, which preallocated and sparse files have in plenty, are hashed once in a thread's life. */
  #hash(slice: Buffer, ends: Uint32Array, ids: Uint8Array): void {
    const { maxBytes } = this.#parameters
    let hashed = 0
    const hashUpTo = (i: number): void => {
      const start = hashed === 0 ? 0 : ends[hashed - 1]!
      hashChunks(slice, start, ends.subarray(hashed, i), i - hashed, ids, hashed * ID_BYTES)
      hashed = i
    }
    for (const [i, end] of ends.entries()) {
      const start = i === 0 ? 0 : ends[i - 1]!
      if (end - start !== maxBytes || !isAllZero(slice.subarray(start, end))) continue
      hashUpTo(i)
      ids.set(this.#tools.zerosId(maxBytes), i * ID_BYTES)
      hashed = i + 1
    }
    hashUpTo(ends.length)
  }

  #seal(
    slice: Buffer,
    ends: Uint32Array,
    ids: Uint8Array,
    wanted: Uint8Array,
  ): (CutQuestion & { type: 'store' }) | undefined {
    const chosen = [...ends.keys()].filter((i) => wanted[i] === 1)
    if (chosen.length === 0) return undefined
    const compressor = this.#tools.compressor(this.#effort)
    const startOf = (i: number): number => (i === 0 ? 0 : ends[i - 1]!)
    const room = chosen.reduce((sum, i) => sum + RECORD_HEADER_BYTES + ends[i]! - startOf(i), 0)
    const records = Buffer.allocUnsafeSlow(room)
    const sealedIds = Buffer.alloc(chosen.length * ID_BYTES)
    const headers: ObjectHeader[] = []
    let offset = 0
    for (const [n, i] of chosen.entries()) {
      const id = ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)
      sealedIds.set(id, n * ID_BYTES)
      const header = sealObject('chunk', id, slice.subarray(startOf(i), ends[i]), compressor, records, offset)
      headers.push(header)
      offset += recordLength(header)
    }
    return { type: 'store', ids: sealedIds, headers, records: records.subarray(0, offset) }
  }

  /** Sends the last slice and waits for all. */
  async finish(): Promise<void> {
    await this.#sendSlice()
    while (this.#inFlight.length > 0) await this.#inFlight.shift()
  }

  /** Nothing outlives the task, whatever happened; gives the buffers back. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#inFlight)
    this.#tools.giveBack(this.#slice)
  }
}

/** Without following a symbolic link, or waiting for the writer of what has become a FIFO, or reading from a device. */
function openRegular(path: ByteString): { fd: number; before: string } {
  const fd = openSync(fromByteString(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = fstatSync(fd, { bigint: true })
    if (!stats.isFile()) throw new ChainkeepError('IO', 'it is not a regular file any more')
    return { fd, before: fileSignature(stats) }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}
