import { displayBytes } from '../base/bytes.ts'
import { ChainkeepError, isCode, throwIfInterrupted } from '../base/errors.ts'
import { type SnapshotId, shortId } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import type { PackEntry } from '../format/pack.ts'
import { isDamage } from '../repository/damage.ts'
import { rememberPacks } from '../repository/known-packs.ts'
import type { ObjectIndex } from '../repository/object-index.ts'
import type { OrdinalSet } from '../repository/ordinal-set.ts'
import { readPackTrailer } from '../repository/pack-trailer.ts'
import { PackWriter } from '../repository/pack-writer.ts'
import { markReachable, type ReferenceProblem } from '../repository/reachability.ts'
import type { Repository } from '../repository/repository.ts'
import { listSnapshots } from '../repository/snapshots.ts'
import { type PackUsage, UsageCounter } from './pack-usage.ts'
import { removeOrphanParity } from './parity-files.ts'
import { DEFAULT_PRUNE_POLICY, type PackRewrite, type PrunePlan, type PrunePolicy, planPrune } from './prune-plan.ts'
import { copyRecords, removePacks, replacePacks } from './replace-packs.ts'
import { requireSoundCopies } from './second-copies.ts'
import { youngPacks } from './young-packs.ts'

export interface PruneOptions {
  readonly policy?: PrunePolicy
  /**
   * Packs written less than this ago are left alone, even if no snapshot reaches them: what an interrupted backup has
   * stored is still there when it runs again. Default 0: prune runs alone, so that nobody else needs them.
   */
  readonly graceMs?: number
  /** Plan, and change nothing. */
  readonly dryRun?: boolean
  /** Plan as if these snapshots were forgotten already: in a dry run only. */
  readonly without?: readonly SnapshotId[]
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

export interface PruneResult {
  readonly plan: PrunePlan
  readonly dryRun: boolean
  /** What was done: in a dry run nothing. */
  readonly packsRemoved: number
  readonly packsRewritten: number
  readonly packsWritten: number
  readonly objectsFreed: number
  /** By how much `data/` and `meta/` have shrunk. */
  readonly bytesFreed: number
  /** Files that interrupted runs left in `tmp/`, or as parity of packs that are gone, and that were removed. */
  readonly leftoversRemoved: number
}

/**
 * Frees the space of objects that no snapshot reaches, and of second copies. Stopped anywhere, it loses nothing, and the next
 * run goes on. Rejects CORRUPT, and changes nothing, if anything that a snapshot needs is missing or damaged; LOCKED
 * while somebody writes or prunes; INTERRUPTED. Memory: one bit for each object, and one pack.
 */
export async function prune(repository: Repository, options: PruneOptions = {}): Promise<PruneResult> {
  const { policy = DEFAULT_PRUNE_POLICY, dryRun = false } = options
  await using lock = dryRun ? undefined : await repository.lock('prune')
  const { plan, marks } = await planFor(repository, policy, options)
  if (dryRun) return { plan, dryRun, ...NOTHING_DONE }
  await requireCopies(repository, plan, marks, options)

  const leftoversRemoved = (await repository.backend.removeLeftovers()) + (await removeOrphanParity(repository))
  const done = { ...NOTHING_DONE, leftoversRemoved }
  const { progress = noProgress, signal } = options
  const totalFiles = plan.remove.length + plan.rewrite.reduce((sum, { packs }) => sum + packs.length, 0)
  const report = (): void => {
    const filesDone = done.packsRemoved + done.packsRewritten
    progress({ phase: 'pruning packs', unit: 'packs', filesDone, totalFiles, bytesDone: done.bytesFreed })
  }
  report()
  for (const pack of plan.remove) {
    throwIfInterrupted(signal) // these first: they make room for the others
    await lock?.confirm()
    await removePacks(repository, [pack])
    done.packsRemoved++
    done.objectsFreed += pack.objects
    done.bytesFreed += pack.bytes
    report()
  }
  for (const group of plan.rewrite) {
    throwIfInterrupted(signal)
    await lock?.confirm()
    done.bytesFreed -= await rewrite(repository, group, marks)
    done.packsWritten++
    for (const pack of group.packs) {
      done.packsRewritten++
      done.objectsFreed += pack.objects - pack.usedObjects
      done.bytesFreed += pack.bytes
    }
    report()
  }
  await rememberPacks(repository)
  return { plan, dryRun, ...done }
}

const NOTHING_DONE = {
  packsRemoved: 0,
  packsRewritten: 0,
  packsWritten: 0,
  objectsFreed: 0,
  bytesFreed: 0,
  leftoversRemoved: 0,
}

async function planFor(
  repository: Repository,
  policy: PrunePolicy,
  options: PruneOptions,
): Promise<{ plan: PrunePlan; marks: OrdinalSet }> {
  const without = new Set<SnapshotId>(options.without)
  if (without.size > 0 && !options.dryRun) throw new RangeError('a snapshot that is still there cannot be pruned away')
  const listed = await listSnapshots(repository, {}, (id, error) => {
    if (without.has(id)) return
    throw new ChainkeepError(
      'CORRUPT',
      `what snapshot ${id} needs is not known, since it cannot be read (${error.message}); "chainkeep forget ${shortId(id)}" removes it`,
      { id },
      error,
    )
  })
  const index = await repository.index()
  await index.refresh() // what others have written since it was opened; from here on, the lock keeps them out
  const snapshots = listed.filter(({ id }) => !without.has(id))
  const roots = snapshots.map(({ snapshot }) => snapshot.tree)
  let marked = await mark(repository, roots, options)
  if (marked.problems.some(({ type }) => type === 'missing')) {
    await index.rebuild() // an entry may be missing in the index alone
    marked = await mark(repository, roots, options)
  }
  const [problem] = marked.problems
  if (problem?.type === 'missing') {
    const { kind, id, path } = problem.reference
    throw refusal(`${kind} ${id} is missing, which ${displayBytes(path)} needs`)
  }
  if (problem) throw isDamage(problem.error) ? refusal(problem.error.message, problem.error) : problem.error
  warnOfUnreadable(repository, index)
  const packs = Array.from(index.packs(), (pack) => marked.usage.usageOf(pack))
  const young = await youngPacks(repository, index.packs(), options.graceMs ?? 0)
  return { plan: planPrune(packs, policy, young), marks: marked.marks }
}

interface Marked {
  readonly marks: OrdinalSet
  readonly usage: UsageCounter
  /** The first of each type are enough to refuse. */
  readonly problems: readonly ReferenceProblem[]
}

async function mark(
  repository: Repository,
  roots: Parameters<typeof markReachable>[1],
  { progress, signal }: PruneOptions,
): Promise<Marked> {
  const usage = new UsageCounter()
  const problems: ReferenceProblem[] = []
  const marks = await markReachable(repository, roots, {
    onMark: (_, location) => usage.add(location),
    onProblem: (problem) => {
      if (!problems.some(({ type }) => type === problem.type)) problems.push(problem)
    },
    progress,
    signal,
  })
  return { marks, usage, problems }
}

/** No sound copy may go while the one that stays is damaged. */
async function requireCopies(
  repository: Repository,
  { remove, rewrite }: PrunePlan,
  marks: OrdinalSet,
  { signal }: PruneOptions,
): Promise<void> {
  const going = [...remove, ...rewrite.flatMap(({ packs }) => packs)]
  try {
    await requireSoundCopies(repository, going, marks, signal)
  } catch (error) {
    throw isDamage(error) ? refusal(error.message, error) : error
  }
}

function refusal(why: string, cause?: unknown): ChainkeepError {
  const advice = 'nothing is removed from a damaged repository: run "chainkeep check", then "chainkeep repair"'
  return new ChainkeepError('CORRUPT', `${why}; ${advice}`, {}, cause)
}

function warnOfUnreadable(repository: Repository, index: ObjectIndex): void {
  const count = index.unreadablePacks.length
  if (count > 0)
    repository.environment.notice(
      `${count === 1 ? 'one pack' : `${count} packs`} cannot be read and stay; "chainkeep repair packs" removes them`,
    )
}

/** Copies what is marked in the packs of a group into a new pack. Returns its length. */
async function rewrite(repository: Repository, { packClass, packs }: PackRewrite, marks: OrdinalSet): Promise<number> {
  const writer = new PackWriter(packClass)
  for (const pack of packs)
    try {
      await copyRecords(repository, pack, await usedEntries(repository, pack, marks), writer)
    } catch (error) {
      if (isCode(error, 'CORRUPT', 'BAD_FORMAT', 'TRUNCATED')) throw refusal(error.message, error)
      throw error
    }
  return await replacePacks(repository, writer, packs)
}

async function usedEntries(repository: Repository, pack: PackUsage, marks: OrdinalSet): Promise<PackEntry[]> {
  const { packClass, id } = pack
  const indexed = (await repository.index()).pack(id)
  const entries = await readPackTrailer(repository.backend, packClass, id)
  const used = entries.filter((_, i) => indexed && marks.has(indexed.firstOrdinal + i))
  if (used.length !== pack.usedObjects)
    throw new ChainkeepError('CORRUPT', `${packClass}/${id} does not hold what the index says`, { packClass, id })
  return used
}
