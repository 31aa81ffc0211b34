import { type BigIntStats, lstatSync } from 'node:fs'
import { mapOrdered, Semaphore } from '../base/async.ts'
import { type ByteString, fromByteString } from '../base/bytes.ts'
import { errnoOf, reasonOf } from '../base/errors.ts'
import { ID_BYTES } from '../base/ids.ts'
import type { RepositoryConfig } from '../format/config.ts'
import type { Effort } from '../native/compress.ts'
import { ListBuilder, type LoadObject } from '../repository/lists.ts'
import type { WriteSession } from '../repository/write-session.ts'
import type { CutFile, CutFileResult, CutQuestion, CutResult, FilePart, Part } from '../worker/cut.ts'
import { fileSignature } from '../worker/file-signature.ts'
import type { WorkerPool } from '../worker/pool.ts'
import type { Ask } from '../worker/tasks.ts'
import { Batches, type Begun, begun } from './batches.ts'
import type { Kept } from './grown-files.ts'
import type { Journal } from './journal.ts'
import type { PartChunks } from './journal-file.ts'
import type { FileContent } from './node-of.ts'

/** Files up to this size are read several to a task … */
export const SMALL_BYTES: number = 2 ** 20
/** … until the task has this many bytes or files. */
const BATCH_BYTES = 4 * 2 ** 20
const BATCH_FILES = 256
/** To open, read, cut, seal and close a small file takes as long as so many bytes of a large one. */
const FILE_BYTES = 64 * 1024
/** Chunks that are looked up at once. */
const BATCH_CHUNKS = 1024
/**
 * What was written less than this before a backup is read, not passed over as a hole: some releases of ZFS, up to 2.1.13 and
 * 2.2.1, took data for holes that had not reached the disk yet.
 */
const SETTLED_MS = 60_000
/** How often a file that changes while it is read is read again. */
const MORE_ATTEMPTS = 2

/** A part of a file, read, cut and hashed, its new chunks handed to the session. */
export interface Segment extends CutFileResult, PartChunks {}

/** A segment that is being read. Its result rejects only for what must stop the backup. */
export type BegunSegment = Begun<Segment>

export type ReadOutcome =
  /** `stats` are those that `file` belongs to. */
  | { readonly type: 'read'; readonly file: FileContent; readonly stats: BigIntStats }
  /** `reason` is for people. */
  | { readonly type: 'failed'; readonly reason: string }

export interface FileReaderOptions {
  readonly session: WriteSession
  readonly pool: WorkerPool
  readonly config: RepositoryConfig
  readonly effort: Effort
  /** When the backup began. */
  readonly startMs: number
  readonly journal?: Journal
  readonly load: LoadObject
  readonly onBytesRead: (bytes: number) => void
  /** Hears how much of a file was kept, or read by an unfinished backup. */
  readonly onTakenOver: (bytes: number) => void
}

/**
 * Reads files through the worker threads: large ones by segments, small ones by batches. At most twice as many tasks are
 * begun as the threads can run at once, so that what is read was looked at only just before.
 */
export class FileReader {
  readonly #options: FileReaderOptions
  readonly #begun: Semaphore
  readonly #small: Batches<FilePart, Segment>
  readonly #known: Batches<PartChunks, boolean>

  constructor(options: FileReaderOptions) {
    this.#options = options
    this.#begun = new Semaphore(options.pool.capacity * 2)
    const readLimits = { items: BATCH_FILES, weight: BATCH_BYTES, weightOf: ({ length }: FilePart): number => length }
    this.#small = new Batches(readLimits, (files) =>
      this.#run(files, sum(files.map(({ length }) => FILE_BYTES + length))),
    )
    const lookUpLimits = {
      items: BATCH_FILES,
      weight: BATCH_CHUNKS,
      weightOf: ({ lengths }: PartChunks): number => lengths.length,
    }
    this.#known = new Batches(lookUpLimits, async (parts) => begun(areStored(options.session, parts)))
  }

  /** How long a segment is. */
  get segmentBytes(): number {
    return this.#options.config.chunker.segmentBytes
  }

  /** The segments of a file of `size` bytes, from byte `from` on. */
  partsOf(size: number, from: number = 0): Part[] {
    const parts: Part[] = []
    for (let offset = from; offset < size; offset += parts.at(-1)!.length) {
      const length = this.segmentBytes - (offset % this.segmentBytes)
      parts.push({ offset, length: Math.min(length, size - offset) })
    }
    return parts
  }

  /**
   * Begins to read one of the `partsOf` a file. Resolves when more may be begun. With `stats`, which are asked for in the order
   * of the walk, what an unfinished backup has read and stored already is not read.
   */
  async begin(path: ByteString, part: Part, stats?: BigIntStats): Promise<BegunSegment> {
    const known = stats && this.#options.journal?.find(path, stats, part)
    if (known) return this.#beginKnown(path, part, fileSignature(stats), known)
    const file = { path, ...part }
    if (part.length <= SMALL_BYTES) return this.#small.add(file)
    const task = await this.#run([file], file.length)
    return begun(task.result.then(([only]) => only!))
  }

  /** Chunks of small files are looked up together; of large ones at once, lest there be too many. */
  async #beginKnown(path: ByteString, part: Part, signature: string, known: PartChunks): Promise<BegunSegment> {
    const isLarge = part.length > SMALL_BYTES
    const isStored = await this.#known.add(known)
    if (isLarge) await this.#known.flush()
    const segment = begun(
      isStored.result.then((stored) => (stored ? this.#takeOver(part, signature, known) : this.#readNow(path, part))),
    )
    if (isLarge) await isStored.result
    return segment
  }

  #takeOver({ length }: Part, signature: string, known: PartChunks): Segment {
    this.#options.onTakenOver(length)
    return {
      ...known,
      chunkCount: known.lengths.length,
      bytes: length,
      bytesRead: 0,
      before: signature,
      after: signature,
    }
  }

  async #readNow(path: ByteString, part: Part): Promise<Segment> {
    const { result } = await this.begin(path, part)
    await this.flush()
    return result
  }

  /** Begins to read bytes that come from elsewhere: one segment of them, which change hands. */
  async beginBytes(bytes: Uint8Array): Promise<BegunSegment> {
    const task = await this.#run([{ bytes }], bytes.length, [bytes.buffer as ArrayBuffer])
    return begun(task.result.then(([only]) => only!))
  }

  /** Begins what has been collected of small files: before waiting for any of them. */
  async flush(): Promise<void> {
    await this.#known.flush()
    await this.#small.flush()
  }

  /**
   * Puts a file together from what is `kept` of it and its segments after that, given in order; without them, it is read now.
   * If it changed since `stats`, or between segments, it is read again (what is kept of a file that goes on growing is not),
   * and at the last attempt taken as it is, torn.
   */
  async assemble(
    path: ByteString,
    stats: BigIntStats,
    segments: AsyncIterable<Segment> = this.#readAlone(path, stats),
    kept?: Kept,
  ): Promise<ReadOutcome> {
    let outcome = await this.#collect(path, stats, segments, kept)
    for (let attempt = 0; outcome.type === 'changed' && attempt < MORE_ATTEMPTS; attempt++) {
      const now = lookAgain(path)
      if (typeof now === 'string') return { type: 'failed', reason: now }
      if (now.ino !== stats.ino || now.size < stats.size) kept = undefined
      outcome = await this.#collect(path, now, this.#readAlone(path, now, kept), kept)
    }
    if (outcome.type !== 'failed' && kept) this.#options.onTakenOver(kept.end)
    return outcome.type === 'changed'
      ? { type: 'read', stats: outcome.stats, file: { ...outcome.file, torn: true } }
      : outcome
  }

  async *#readAlone(path: ByteString, stats: BigIntStats, kept?: Kept): AsyncGenerator<Segment, void, undefined> {
    const parts = this.partsOf(Number(stats.size), kept?.end)
    yield* mapOrdered(parts, this.#options.pool.capacity, (part) => this.#readNow(path, part))
  }

  async #collect(
    path: ByteString,
    stats: BigIntStats,
    segments: AsyncIterable<Segment>,
    kept: Kept | undefined,
  ): Promise<ReadOutcome | Changed> {
    const { load, session, journal } = this.#options
    const list = new ListBuilder((kind, plain) => session.saveObject(kind, plain))
    if (kept) await list.takeOver(load, kept.content, kept.size, kept.end)
    const signature = fileSignature(stats)
    let changed = false
    let failure: string | undefined
    let offset = kept?.end ?? 0
    for await (const { ids, lengths, bytes, before, after, failure: reason } of segments) {
      failure ??= reason
      changed ||= before !== signature || after !== signature
      if (failure === undefined && !changed) journal?.add({ path, signature, offset, ids, lengths })
      offset += bytes
      await list.add(ids, lengths)
    }
    if (failure !== undefined) return { type: 'failed', reason: failure }
    const file = await list.finish()
    return { type: changed ? 'changed' : 'read', file, stats }
  }

  /** Begins a task, once there is room for one. */
  async #run(
    files: readonly CutFile[],
    bytes: number,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Begun<Segment[]>> {
    const { pool, config, effort, startMs, onBytesRead } = this.#options
    await this.#begun.acquire()
    const { minBytes, averageBytes, maxBytes, level } = config.chunker
    const parameters = { minBytes, averageBytes, maxBytes, level }
    const task = { files, parameters, effort, holesBeforeMs: startMs - SETTLED_MS }
    const result = pool
      .run('cut', task, { bytes, transfer, answer: this.#answer })
      .then((done) => {
        for (const file of done.files) onBytesRead(file.bytesRead)
        return splitResult(done)
      })
      .finally(() => this.#begun.release())
    return begun(result)
  }

  readonly #answer: Ask = async (content) => {
    const question = content as CutQuestion
    const { session } = this.#options
    if (question.type === 'claim') return session.claim('chunk', question.ids)
    await session.add('chunk', question)
    return undefined
  }
}

interface Changed {
  readonly type: 'changed'
  readonly file: FileContent
  readonly stats: BigIntStats
}

/** Gives each file of a task its share of the chunks. Views of the result. */
function splitResult({ files, ids, lengths }: CutResult): Segment[] {
  let at = 0
  return files.map((file) => {
    const end = at + file.chunkCount
    const segment = { ...file, ids: ids.subarray(at * ID_BYTES, end * ID_BYTES), lengths: lengths.subarray(at, end) }
    at = end
    return segment
  })
}

/** What `path` is by now, or why it cannot be read. */
function lookAgain(path: ByteString): BigIntStats | string {
  try {
    const stats = lstatSync(fromByteString(path), { bigint: true })
    return stats.isFile() ? stats : 'it is not a regular file any more'
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return reasonOf(error)
  }
}

/** Of each part, whether all of its chunks are stored and as long as they should be. */
async function areStored(session: WriteSession, parts: readonly PartChunks[]): Promise<boolean[]> {
  const stored = await session.storedLengths('chunk', Buffer.concat(parts.map(({ ids }) => ids)))
  let end = 0
  return parts.map(({ lengths }) => {
    const start = end
    end += lengths.length
    return lengths.every((length, i) => stored[start + i] === length)
  })
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)
