import type { ByteString } from '../base/bytes.ts'
import { reasonOf } from '../base/errors.ts'
import { ID_BYTES } from '../base/ids.ts'
import { RECORD_HEADER_BYTES } from '../format/object.ts'
import { type Compressor, createCompressor, type Effort } from '../native/compress.ts'
import { type CutParameters, endsAtMost, type FindCuts } from '../native/scan.ts'
import { bytesSegment, FileSegment, type SegmentSource } from './file-segment.ts'
import { hashSlice, type SealedSlice, type SliceChunks, sealSlice } from './slice.ts'
import type { Ask } from './tasks.ts'
import type { Tools } from './tools.ts'

/** Reads parts of files, cuts them into chunks, hashes them, and seals those that the asker wants. */
export interface CutTask {
  readonly files: readonly CutFile[]
  readonly parameters: CutParameters
  readonly effort: Effort
  /** Holes are passed over in files last changed before this, in milliseconds since 1970; in others they are read. */
  readonly holesBeforeMs: number
}

/** One segment, or the rest of one from the beginning of a chunk on: the chunker starts afresh with each. */
export type CutFile =
  | FilePart
  /** Bytes that come from elsewhere than a file. */
  | { readonly bytes: Uint8Array }

/** A stretch of a file, within one segment. */
export interface Part {
  readonly offset: number
  readonly length: number
}

export interface FilePart extends Part {
  readonly path: ByteString
}

export interface CutResult {
  /** In the order of the task. */
  readonly files: readonly CutFileResult[]
  /** Ids (packed) and lengths of all chunks of all files, in order. */
  readonly ids: Uint8Array
  readonly lengths: Uint32Array
}

export interface CutFileResult {
  readonly chunkCount: number
  /** The bytes of its chunks. May be less than was asked for: the file is shorter now. */
  readonly bytes: number
  /** Those of them that were read: all but holes. */
  readonly bytesRead: number
  /** `fileSignature` when it was opened, and after the last byte was read; both empty for bytes from elsewhere. */
  readonly before: string
  readonly after: string
  /** Set if it could not be read (to the end): why, for people. */
  readonly failure?: string
}

/**
 * What a cut task asks: which of these chunks to seal (answer: a Uint8Array of 0 or 1 each), and to store those. Their
 * records are in shared memory, lent until the answer.
 */
export type CutQuestion =
  | { readonly type: 'claim'; readonly ids: Uint8Array }
  | ({ readonly type: 'store' } & SealedSlice)

/** Bytes read before the chunks among them are asked about, besides those carried over from the slice before. */
const SLICE_BYTES = 4 * 2 ** 20
/** Read at once: what fits into the processor's cache is cut while it is there. */
const READ_BYTES = 2 ** 20
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
  readonly #compressor: Compressor
  readonly #holesBeforeMs: number
  readonly #tools: Tools
  readonly #ask: Ask
  readonly #inFlight: Promise<void>[] = []
  #slice: Buffer
  readonly #ends: Uint32Array
  /** Where the chunks of the slice lie in their files. */
  readonly #positions: Float64Array
  /** Chunks found in the slice, where the open chunk starts, and where the bytes end. */
  #count = 0
  #open = 0
  #filled = 0
  /** Of the open chunk in its file. */
  #position = 0

  constructor(task: CutTask, tools: Tools, ask: Ask) {
    this.#parameters = task.parameters
    this.#findCuts = tools.findCuts(task.parameters)
    this.#compressor = createCompressor(task.effort)
    this.#holesBeforeMs = task.holesBeforeMs
    this.#tools = tools
    this.#ask = ask
    this.#slice = tools.borrow(this.#capacity)
    // Every file may end with a chunk shorter than the minimum.
    this.#ends = new Uint32Array(endsAtMost(this.#capacity, task.parameters) + task.files.length)
    this.#positions = new Float64Array(this.#ends.length)
  }

  get #capacity(): number {
    return SLICE_BYTES + this.#parameters.maxBytes
  }

  async addFile({ path, offset, length }: FilePart): Promise<CutFileResult> {
    let segment: FileSegment
    try {
      segment = new FileSegment(path, offset, length, this.#holesBeforeMs)
    } catch (error) {
      return { ...NOTHING, failure: reasonOf(error) }
    }
    const { before } = segment
    try {
      const filled = await this.#fill(segment)
      return { ...filled, before, after: filled.failure === undefined ? segment.signature() : '' }
    } finally {
      segment[Symbol.dispose]()
    }
  }

  async addBytes(bytes: Uint8Array): Promise<CutFileResult> {
    return { ...NOTHING, ...(await this.#fill(bytesSegment(bytes))) }
  }

  /** Takes a segment and cuts it. What was read before a failure stays. */
  async #fill(source: SegmentSource): Promise<Omit<CutFileResult, 'before' | 'after'>> {
    const chunksBefore = this.lengths.length
    let bytes = 0
    let bytesRead = 0
    let failure: string | undefined
    this.#position = source.offset
    while (bytes < source.length) {
      if (this.#filled === this.#capacity) {
        this.#cut(false)
        await this.#sendSlice()
      }
      const zeros = source.zerosAt(bytes)
      if (zeros > 0) {
        bytes += await this.#passZeros(zeros)
        continue
      }
      const room = Math.min(source.length - bytes, this.#capacity - this.#filled, READ_BYTES)
      const count = tryRead(() => source.read(this.#slice, this.#filled, room, bytes))
      if (typeof count === 'string') failure = count
      if (typeof count === 'string' || count === 0) break
      this.#filled += count
      bytes += count
      bytesRead += count
      this.#cut(false)
    }
    this.#cut(true)
    return { chunkCount: this.lengths.length - chunksBefore, bytes, bytesRead, failure }
  }

  /**
   * Takes zeros without reading them; returns how many of the `zeros` that there are. Once a chunk begins among them, it and
   * those that follow are alike, as long as so many zeros are left that their ends cannot depend on what comes after.
   */
  async #passZeros(zeros: number): Promise<number> {
    const { maxBytes } = this.#parameters
    const from = this.#filled
    const filled = Math.min(zeros, 2 * maxBytes, this.#capacity - from)
    this.#slice.fill(0, from, from + filled)
    this.#filled += filled
    this.#cut(false)
    const length = this.lengths.at(-1)
    if (this.#count === 0 || length === undefined || this.#open - length < from) return filled
    const left = zeros - filled + (this.#filled - this.#open)
    const alike = Math.max(0, Math.floor((left - maxBytes) / length))
    if (alike === 0) return filled
    await this.#sendSlice() // the first of them is asked about with it
    this.ids.push(Buffer.alloc(alike * ID_BYTES, this.#tools.zerosId(length)))
    for (let i = 0; i < alike; i++) this.lengths.push(length)
    this.#position += alike * length
    return filled + alike * length
  }

  #cut(last: boolean): void {
    const ends = this.#ends.subarray(this.#count)
    const found = this.#findCuts(this.#slice, this.#open, this.#filled, last, ends)
    let start = this.#open
    for (let i = 0; i < found; i++) {
      const chunkLength = ends[i]! - start
      this.lengths.push(chunkLength)
      this.#positions[this.#count + i] = this.#position
      this.#position += chunkLength
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
    const chunks = { ends: this.#ends.slice(0, this.#count), positions: this.#positions.slice(0, this.#count) }
    const task = this.#process(slice, chunks).finally(() => this.#tools.giveBack(slice))
    task.catch(() => {}) // reported when its turn comes
    this.#inFlight.push(task)
    this.#slice = next
    this.#filled = carried.length
    this.#open = 0
    this.#count = 0
    if (this.#inFlight.length >= SLICES_IN_FLIGHT) await this.#inFlight.shift()
  }

  async #process(slice: Buffer, chunks: SliceChunks): Promise<void> {
    if (chunks.ends.length === 0) return
    const ids = hashSlice(slice, chunks.ends, this.#parameters.maxBytes, this.#tools)
    this.ids.push(ids)
    const wanted = (await this.#ask({ type: 'claim', ids } satisfies CutQuestion)) as Uint8Array
    if (!wanted.includes(1)) return
    const room = this.#tools.borrowShared(this.#capacity + chunks.ends.length * RECORD_HEADER_BYTES)
    try {
      const sealed = sealSlice(slice, chunks, ids, wanted, this.#compressor, room)
      await this.#ask({ type: 'store', ...sealed } satisfies CutQuestion)
    } finally {
      this.#tools.giveBackShared(room)
    }
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

/** Of a file that could not be opened, and of bytes from elsewhere. */
const NOTHING: CutFileResult = { chunkCount: 0, bytes: 0, bytesRead: 0, before: '', after: '' }

/** What `read` returns, or why it failed, for people. */
function tryRead(read: () => number): number | string {
  try {
    return read()
  } catch (error) {
    return reasonOf(error)
  }
}
