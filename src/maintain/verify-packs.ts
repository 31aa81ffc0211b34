import { availableParallelism } from 'node:os'
import { forEachLimited } from '../base/async.ts'
import { type ChainkeepError, throwIfInterrupted } from '../base/errors.ts'
import { type ObjectId, objectIdAt } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import type { ObjectKind } from '../format/object.ts'
import type { PackEntry, PackName } from '../format/pack.ts'
import { isUnreadable } from '../repository/damage.ts'
import { type PackRun, packRuns, RUN_BYTES } from '../repository/pack-runs.ts'
import { packLength, readPackTrailer } from '../repository/pack-trailer.ts'
import type { Repository } from '../repository/repository.ts'
import { packObjects } from '../worker/packed-objects.ts'
import { WorkerPool } from '../worker/pool.ts'
import { SharedBuffers } from '../worker/shared-buffers.ts'
import type { ObjectFailure } from '../worker/verify.ts'

export interface VerifyOptions {
  readonly onDamagedPack: (pack: PackName, error: ChainkeepError) => void
  readonly onDamagedObject: (object: DamagedObject) => void
  /** Worker threads; default: one for each core. */
  readonly threads?: number
  /** Of the packs, where it is known. */
  readonly totalBytes?: number
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

/** An object whose stored bytes are damaged. */
export interface DamagedObject {
  readonly pack: PackName
  /** Of its record in the pack. */
  readonly offset: number
  /** Place in the pack's trailer. */
  readonly entryNumber: number
  readonly kind: ObjectKind
  readonly id: ObjectId
  readonly message: string
}

/**
 * Reads whole packs, front to back, each once, and checks every object of theirs: header, checksum, decompression, id. A pack
 * that has gone meanwhile is passed over. Memory: two runs for each thread, and one more.
 */
export async function verifyPacks(
  repository: Repository,
  packs: readonly PackName[],
  options: VerifyOptions,
): Promise<{ packsRead: number; bytesRead: number }> {
  const { threads = availableParallelism(), totalBytes, progress = noProgress, signal } = options
  await using pool = new WorkerPool({ threads })
  pool.expect(totalBytes ?? 0)
  const buffers = new SharedBuffers(pool.capacity + 1, RUN_BYTES)
  const counts = { packsRead: 0, bytesRead: 0 }
  await forEachLimited(
    listRuns(repository, packs, options, counts),
    pool.capacity + 1,
    async ({ pack, run, first }) => {
      throwIfInterrupted(signal)
      const failures = await buffers.lend(run.bytes, (into) =>
        verifyRun(repository, pool, { pack, run, into }, options),
      )
      if (!failures) return
      for (const { object, message } of failures) {
        const { offset, kind, id } = run.entries[object]!
        options.onDamagedObject({ pack, offset, entryNumber: first + object, kind, id: objectIdAt(id), message })
      }
      counts.bytesRead += run.bytes
      const { packsRead: filesDone, bytesRead: bytesDone } = counts
      progress({ phase: 'reading data', unit: 'packs', filesDone, totalFiles: packs.length, bytesDone, totalBytes })
    },
  )
  return counts
}

interface PackRunOf {
  readonly pack: PackName
  readonly run: PackRun
  /** Place of the run's first entry in the pack's trailer. */
  readonly first: number
}

/** Reads a trailer when its pack's turn comes: they would not all fit into memory. */
async function* listRuns(
  { backend }: Repository,
  packs: readonly PackName[],
  { onDamagedPack }: VerifyOptions,
  counts: { packsRead: number; bytesRead: number },
): AsyncGenerator<PackRunOf, void, undefined> {
  for (const pack of packs) {
    let entries: PackEntry[]
    try {
      entries = await readPackTrailer(backend, pack.packClass, pack.id)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      if (error.code !== 'NOT_FOUND') onDamagedPack(pack, error)
      continue
    }
    counts.packsRead++
    counts.bytesRead += packLength(entries) - recordBytes(entries)
    let first = 0
    for (const run of packRuns(entries)) {
      yield { pack, run, first }
      first += run.entries.length
    }
  }
}

const recordBytes = (entries: readonly PackEntry[]): number => {
  let bytes = 0
  for (const run of packRuns(entries)) bytes += run.bytes
  return bytes
}

/** What is wrong with the objects of a run; nothing if the pack cannot be read, which is reported. */
async function verifyRun(
  { backend }: Repository,
  pool: WorkerPool,
  { pack, run, into }: { pack: PackName; run: PackRun; into: Uint8Array },
  { onDamagedPack }: VerifyOptions,
): Promise<readonly ObjectFailure[] | undefined> {
  const { offset } = run
  let bytes: Uint8Array
  try {
    bytes = await backend.get(pack.packClass, pack.id, { offset, length: run.bytes, into })
  } catch (error) {
    if (!isUnreadable(error)) throw error
    if (error.code !== 'NOT_FOUND') onDamagedPack(pack, error)
    return undefined
  }
  const task = { bytes, file: `${pack.packClass}/${pack.id}`, offset, objects: packObjects(run.entries) }
  return (await pool.run('verify', task, { bytes: run.bytes })).failures
}
