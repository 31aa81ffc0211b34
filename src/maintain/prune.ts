import { ChainkeepError } from '../base/errors.ts'
import type { PackId, SnapshotId } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import { type CondemnedRecord, packsIn } from '../repository/condemned.ts'
import { isDamage } from '../repository/damage.ts'
import { rememberPacks } from '../repository/known-packs.ts'
import { describeSession } from '../repository/lock.ts'
import type { Repository } from '../repository/repository.ts'
import { makeReserve, withReserve } from '../repository/reserve.ts'
import { listSessions, type Session, type Sessions, survivingSessions } from '../repository/sessions.ts'
import { carryOut, type PruneCounts, type Pruning, rewritePacks } from './carry-out.ts'
import { absolve, condemn } from './condemn.ts'
import { type Judgement, judgeCondemned } from './judge-condemned.ts'
import { NeededObjects, refusal } from './needed-objects.ts'
import { neededBytes, type PackUsage } from './pack-usage.ts'
import { removeOrphanParity } from './parity-files.ts'
import { findPending, foreseePending, type PendingPacks } from './pending.ts'
import {
  DEFAULT_PRUNE_POLICY,
  type PackRewrite,
  type PackStanding,
  type PrunePlan,
  type PrunePolicy,
  planPrune,
} from './prune-plan.ts'
import { requireSoundCopies } from './second-copies.ts'
import { sparedPacks } from './spared-packs.ts'
import { tidy, writersToSpare } from './tidy.ts'

export type { PendingPacks } from './pending.ts'

/** An hour less than a day: so a daily prune frees what the one before has condemned. */
export const DEFAULT_GRACE_MS: number = 23 * 3_600_000

export interface PruneOptions {
  readonly policy?: PrunePolicy
  /**
   * For how long what is condemned stays readable, and what an interrupted backup has stored is left for its next run.
   * Default: DEFAULT_GRACE_MS, but what is condemned goes at once if nobody else is at work. With 0 prune rejects LOCKED
   * if somebody is.
   */
  readonly graceMs?: number
  /** Plan, and change nothing. */
  readonly dryRun?: boolean
  /** Plan as if these snapshots were forgotten already: in a dry run only. */
  readonly without?: readonly SnapshotId[]
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

/** What was done; in a dry run, what would be. */
export interface PruneResult extends Readonly<PruneCounts> {
  readonly plan: PrunePlan
  readonly dryRun: boolean
  /** Files that interrupted runs left in `tmp/`, or as parity of packs that are gone, and that were removed. */
  readonly leftoversRemoved: number
  /** What is condemned, and there for now. */
  readonly pending: readonly PendingPacks[]
}

/** New packs of so many bytes are written before the old ones go. */
const BATCH_BYTES = 256 * 2 ** 20

/**
 * Frees the space of objects that no snapshot reaches, and of second copies, beside any number of backups and restores: what
 * somebody may rely on is condemned only, and deleted by a later prune. Stopped anywhere, it loses nothing, and the next
 * run goes on. Rejects CORRUPT, and changes nothing, if anything that a snapshot needs is missing or damaged; LOCKED
 * while somebody else prunes; INTERRUPTED. Memory: one bit for each object, and two packs.
 */
export async function prune(repository: Repository, options: PruneOptions = {}): Promise<PruneResult> {
  const { policy = DEFAULT_PRUNE_POLICY, dryRun = false, signal } = options
  const without = new Set(options.without)
  if (without.size > 0 && !dryRun) throw new RangeError('a snapshot that is still there cannot be pruned away')
  const { backend } = repository
  await using lock = await (dryRun ? repository.lock('read') : withReserve(backend, () => repository.lock('prune')))
  const sessions = await (dryRun ? listSessions : survivingSessions)(
    repository.backend,
    repository.environment,
    lock.name,
  )
  if (options.graceMs === 0 && !dryRun) refuseCompany(sessions)
  const keepMs = options.graceMs ?? DEFAULT_GRACE_MS
  const graceMs = options.graceMs === undefined && sessions.alive.length === 0 ? 0 : keepMs
  const judgements = await judgeCondemned(repository, sessions, graceMs) // before the snapshots are listed: FORMAT.md §9
  const needed = new NeededObjects(repository, { without, progress: options.progress, signal })
  await needed.update()
  await warnOfUnreadable(repository)
  const writers = writersToSpare(sessions, keepMs)
  const plan = await planFor(repository, policy, { needed, judgements, writers })
  if (dryRun) {
    const pending = await foreseePending(repository, plan, { judgements, sessions, graceMs })
    return { plan, dryRun, ...foreseeCounts(plan, graceMs), leftoversRemoved: 0, pending }
  }

  await requireCopies(repository, plan, needed, signal)
  const leftoversRemoved = (await tidy(repository, sessions, writers)) + (await removeOrphanParity(repository))
  const done: PruneCounts = { ...NOTHING_DONE }
  const report = reporter(plan, done, options.progress)
  const pruning = { repository, lock, needed, done, rewritten: new Set<PackId>(), signal, report }
  await runPlan(pruning, plan, { judgements, graceMs })
  await rememberPacks(repository, needed.trees)
  await makeReserve(backend)
  return { plan, dryRun, ...done, leftoversRemoved, pending: await findPending(repository, lock, keepMs) }
}

const NOTHING_DONE: Readonly<PruneCounts> = {
  packsRemoved: 0,
  packsRewritten: 0,
  packsWritten: 0,
  originalsRemoved: 0,
  objectsFreed: 0,
  bytesFreed: 0,
}

/** What carrying out a plan comes to, if what it condemns goes after `graceMs`. */
function foreseeCounts({ remove, rewrite, due, totals }: PrunePlan, graceMs: number): PruneCounts {
  const rewritten = rewrite.flatMap(({ packs }) => packs)
  const counts = { ...NOTHING_DONE, packsRewritten: rewritten.length, packsWritten: rewrite.length }
  const { freedObjects, freedBytes } = totals
  if (graceMs === 0) {
    const removed = { packsRemoved: due.length + remove.length, originalsRemoved: rewritten.length }
    return { ...counts, ...removed, objectsFreed: freedObjects, bytesFreed: freedBytes }
  }
  const staying = [...remove, ...rewritten]
  return {
    ...counts,
    packsRemoved: due.length,
    objectsFreed: freedObjects - staying.reduce((sum, { objects }) => sum + objects, 0),
    bytesFreed: freedBytes - staying.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

function refuseCompany({ alive: [other] }: Sessions): void {
  if (!other) return
  const { mode, pid, host } = other
  const advice =
    'wait until it has finished, or prune without --grace: what is not needed is then condemned now, and freed later'
  throw new ChainkeepError('LOCKED', `${describeSession(other)}; ${advice}`, { mode, pid, host })
}

async function planFor(
  repository: Repository,
  policy: PrunePolicy,
  found: {
    readonly needed: NeededObjects
    readonly judgements: readonly Judgement[]
    readonly writers: readonly Session[]
  },
): Promise<PrunePlan> {
  const index = await repository.index()
  const standings = new Map<PackId, PackStanding>()
  for (const rank of ['due', 'waiting', 'sentenced'] as const) // the last one counts
    for (const { record, isDue } of found.judgements) {
      const standing = isDue ? (record.stage === 'sentenced' ? 'sentenced' : 'due') : 'waiting'
      if (standing === rank) for (const pack of packsIn([record])) standings.set(pack, standing)
    }
  const packs = Array.from(index.packs(), (pack) => found.needed.usage.usageOf(pack))
  const wasteful = packs.filter((pack) => !standings.has(pack.id) && pack.bytes > neededBytes(pack))
  for (const pack of await sparedPacks(repository, wasteful, found.writers)) standings.set(pack, 'spared')
  return planPrune(packs, policy, standings)
}

/** No sound copy may go while the one that stays is damaged. */
async function requireCopies(
  repository: Repository,
  { remove, rewrite }: PrunePlan,
  { marks }: NeededObjects,
  signal: AbortSignal | undefined,
): Promise<void> {
  const going = [...remove, ...rewrite.flatMap(({ packs }) => packs)]
  try {
    await requireSoundCopies(repository, going, marks, signal)
  } catch (error) {
    throw isDamage(error) ? refusal(error.message, error) : error
  }
}

/** First what makes room for the rest. Copies are made a few packs at a time, if their originals may go right away. */
async function runPlan(
  pruning: Pruning,
  { remove, rewrite }: PrunePlan,
  { judgements, graceMs }: { readonly judgements: readonly Judgement[]; readonly graceMs: number },
): Promise<void> {
  const { repository, lock, needed } = pruning
  const due = judgements.filter(({ isDue }) => isDue).map(({ record }) => record)
  const condemnNow = async (packs: readonly PackUsage[]): Promise<void> => {
    const records = await condemn(repository, lock, 'condemned', packs, needed.snapshots)
    if (graceMs === 0) await carryOut(pruning, records)
  }
  await carryOut(pruning, due)
  await condemnNow(remove.filter(({ id }) => !needed.usage.isUsed(id))) // it has looked at new snapshots
  for (const groups of batches(rewrite, graceMs === 0 ? BATCH_BYTES : Number.POSITIVE_INFINITY)) {
    await rewritePacks(pruning, groups)
    await condemnNow(groups.flatMap(({ packs }) => packs))
  }
  const index = await repository.index()
  const isGone = (record: CondemnedRecord): boolean => ![...packsIn([record])].some((pack) => index.pack(pack))
  await absolve(
    repository,
    due.filter((record) => record.stage === 'sentenced' && isGone(record)),
  )
}

function* batches(groups: readonly PackRewrite[], maxBytes: number): Generator<PackRewrite[]> {
  let open: PackRewrite[] = []
  let bytes = 0
  for (const group of groups) {
    if (open.length > 0 && bytes + group.newBytes > maxBytes) {
      yield open
      open = []
      bytes = 0
    }
    open.push(group)
    bytes += group.newBytes
  }
  if (open.length > 0) yield open
}

/** Tells `progress` of each pack that is done with. */
function reporter({ remove, rewrite, due }: PrunePlan, done: PruneCounts, progress: Progress = noProgress): () => void {
  const totalFiles = due.length + remove.length + rewrite.reduce((sum, { packs }) => sum + 2 * packs.length, 0)
  let filesDone = 0
  return () =>
    progress({ phase: 'pruning packs', unit: 'packs', filesDone: ++filesDone, totalFiles, bytesDone: done.bytesFreed })
}

async function warnOfUnreadable(repository: Repository): Promise<void> {
  const { length } = (await repository.index()).unreadablePacks
  if (length > 0)
    repository.environment.notice(
      `${length === 1 ? 'one pack' : `${length} packs`} cannot be read and stay; "chainkeep repair packs" removes them`,
    )
}
