import { type BigIntStats, lstatSync } from 'node:fs'
import { mapOrdered, Semaphore } from '../base/async.ts'
import { type ByteString, fromByteString } from '../base/bytes.ts'
import { errnoOf, reasonOf } from '../base/errors.ts'
import { ID_BYTES } from '../base/ids.ts'
import type { RepositoryConfig } from '../format/config.ts'
import type { Effort } from '../native/compress.ts'
import { ListBuilder, type LoadObject } from '../repository/lists.ts'
import type { WriteSession } from '../repository/write-session.ts'
import type { CutFile, CutFileResult, CutQuestion, CutResult, Part } from '../worker/cut.ts'
import { fileSignature } from '../worker/file-signature.ts'
import type { WorkerPool } from '../worker/pool.ts'
import type { Ask } from '../worker/tasks.ts'
import type { Kept } from './grown-files.ts'
import type { FileContent } from './node-of.ts'

/** Files up to this size are read several to a task … */
export const SMALL_BYTES: number = 2 ** 20
/** … until the task has this many bytes or files. */
const BATCH_BYTES = 4 * 2 ** 20
const BATCH_FILES = 256
/**
 * What was written less than this before a backup is read, not passed over as a hole: some releases of ZFS, up to 2.1.13 and
 * 2.2.1, took data for holes that had not reached the disk yet.
 */
const SETTLED_MS = 60_000
/** How often a file that changes while it is read is read again. */
const MORE_ATTEMPTS = 2

/** A part of a file, read, cut and hashed, its new chunks handed to the session. */
export interface Segment extends CutFileResult {
  /** Its chunks: packed ids and lengths. */
  readonly ids: Uint8Array
  readonly lengths: Uint32Array
}

/** A segment that is being read. Wrapped, since a promise of a promise is none. */
export interface BegunSegment {
  /** Rejects only for what must stop the backup. */
  readonly result: Promise<Segment>
}

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
  readonly load: LoadObject
  readonly onBytesRead: (bytes: number) => void
  /** Hears how much of a file was kept. */
  readonly onTakenOver: (bytes: number) => void
}

/**
 * Reads files through the worker threads: large ones by segments, small ones by batches. At most twice as many tasks are
 * begun as the threads can run at once, so that what is read was looked at only just before.
 */
export class FileReader {
  readonly #options: FileReaderOptions
  readonly #begun: Semaphore
  #batch: OpenBatch = { files: [], resolvers: [], bytes: 0 }

  constructor(options: FileReaderOptions) {
    this.#options = options
    this.#begun = new Semaphore(options.pool.capacity * 2)
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

  /** Begins to read one of the `partsOf` a file. Resolves when more may be begun. */
  async begin(path: ByteString, part: Part): Promise<BegunSegment> {
    const file = { path, ...part }
    if (part.length <= SMALL_BYTES) return this.#addToBatch(file)
    const task = await this.#run([file], file.length)
    return begun(task.result.then(([only]) => only!))
  }

  /** Begins to read bytes that come from elsewhere: one segment of them, which change hands. */
  async beginBytes(bytes: Uint8Array): Promise<BegunSegment> {
    const task = await this.#run([{ bytes }], bytes.length, [bytes.buffer as ArrayBuffer])
    return begun(task.result.then(([only]) => only!))
  }

  /** Begins what has been collected of small files: before waiting for any of them. */
  async flush(): Promise<void> {
    const { files, resolvers, bytes } = this.#batch
    if (files.length === 0) return
    this.#batch = { files: [], resolvers: [], bytes: 0 }
    const task = await this.#run(files, bytes)
    for (const [i, resolve] of resolvers.entries()) resolve(task.result.then((segments) => segments[i]!))
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
    let outcome = await this.#collect(stats, segments, kept)
    for (let attempt = 0; outcome.type === 'changed' && attempt < MORE_ATTEMPTS; attempt++) {
      const now = lookAgain(path)
      if (typeof now === 'string') return { type: 'failed', reason: now }
      if (now.ino !== stats.ino || now.size < stats.size) kept = undefined
      outcome = await this.#collect(now, this.#readAlone(path, now, kept), kept)
    }
    if (outcome.type !== 'failed' && kept) this.#options.onTakenOver(kept.end)
    return outcome.type === 'changed'
      ? { type: 'read', stats: outcome.stats, file: { ...outcome.file, torn: true } }
      : outcome
  }

  async *#readAlone(path: ByteString, stats: BigIntStats, kept?: Kept): AsyncGenerator<Segment, void, undefined> {
    const parts = this.partsOf(Number(stats.size), kept?.end)
    yield* mapOrdered(parts, this.#options.pool.capacity, async (part) => {
      const begun = await this.begin(path, part)
      await this.flush()
      return begun.result
    })
  }

  async #collect(
    stats: BigIntStats,
    segments: AsyncIterable<Segment>,
    kept: Kept | undefined,
  ): Promise<ReadOutcome | Changed> {
    const { load, session } = this.#options
    const list = new ListBuilder((kind, plain) => session.saveObject(kind, plain))
    if (kept) await list.takeOver(load, kept.content, kept.size, kept.end)
    const signature = fileSignature(stats)
    let changed = false
    let failure: string | undefined
    for await (const segment of segments) {
      failure ??= segment.failure
      changed ||= segment.before !== signature || segment.after !== signature
      await list.add(segment.ids, segment.lengths)
    }
    if (failure !== undefined) return { type: 'failed', reason: failure }
    const file = await list.finish()
    return { type: changed ? 'changed' : 'read', file, stats }
  }

  async #addToBatch(file: CutFile & { readonly length: number }): Promise<BegunSegment> {
    const result = new Promise<Segment>((resolve) => this.#batch.resolvers.push(resolve))
    this.#batch.files.push(file)
    this.#batch.bytes += file.length
    if (this.#batch.bytes >= BATCH_BYTES || this.#batch.files.length >= BATCH_FILES) await this.flush()
    return begun(result)
  }

  /** Begins a task, once there is room for one. */
  async #run(
    files: readonly CutFile[],
    bytes: number,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<{ result: Promise<Segment[]> }> {
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
    return { result }
  }

  readonly #answer: Ask = async (content) => {
    const question = content as CutQuestion
    const { session } = this.#options
    if (question.type === 'claim') return session.claim('chunk', question.ids)
    await session.add('chunk', question)
    return undefined
  }
}

interface OpenBatch {
  readonly files: CutFile[]
  readonly resolvers: ((result: Promise<Segment>) => void)[]
  bytes: number
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

function begun(result: Promise<Segment>): BegunSegment {
  result.catch(() => {}) // reported when its turn comes, unless another ends the backup before
  return { result }
}
