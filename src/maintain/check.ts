import type { ByteString } from '../base/bytes.ts'
import type { ChainkeepError } from '../base/errors.ts'
import { objectIdAt, type SnapshotId } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import { hashObject } from '../format/object.ts'
import { isDamage } from '../repository/damage.ts'
import { vanishedPacks } from '../repository/known-packs.ts'
import type { SaveObject } from '../repository/lists.ts'
import type { IndexedPack, ObjectIndex } from '../repository/object-index.ts'
import { markReachable } from '../repository/reachability.ts'
import type { Repository } from '../repository/repository.ts'
import { datedBeforeParent, describeBeforeParent, describeFuture, splitFuture } from '../repository/snapshot-dates.ts'
import { listSnapshots, type StoredSnapshot } from '../repository/snapshots.ts'
import { checkPacks } from './check-packs.ts'
import { checkParity } from './check-parity.ts'
import { DamageFound } from './damage-found.ts'
import { UsageCounter } from './pack-usage.ts'
import type { Note, Problem } from './problem.ts'
import { choosePacks, type ReadData } from './read-data.ts'
import { type Losses, TreeSalvage } from './salvage-tree.ts'
import { startReading, withBreaks } from './start-reading.ts'
import { countLeftovers } from './tidy.ts'

export interface CheckOptions {
  /** Read the data in packs, too, or in a part of them. Default: only what is needed to find every object. */
  readonly readData?: ReadData
  /** Worker threads for `readData`; default: one for each core. */
  readonly threads?: number
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

export interface CheckReport {
  readonly snapshots: number
  readonly packs: number
  /** In all packs. */
  readonly objects: number
  /** Of all packs. */
  readonly bytes: number
  /** With `readData`. */
  readonly packsRead: number
  readonly bytesRead: number
  /** At most 1000 of them … */
  readonly problems: readonly Problem[]
  /** … and how many there are. */
  readonly problemCount: number
  /** Which snapshots the damage hits, oldest first. */
  readonly damagedSnapshots: readonly DamagedSnapshot[]
  readonly notes: readonly Note[]
  /** No problems. */
  readonly healthy: boolean
}

export interface DamagedSnapshot extends StoredSnapshot {
  /** Files and directories that cannot be restored as they were, or not at all; where a pack cannot be read, this may be too many. */
  readonly losses: Losses
}

/**
 * Looks for damage, and changes nothing but the index, if that is wrong. Every snapshot, tree and list is read, and every
 * pack's trailer; data only if asked for. Damage is reported, not thrown, as are packs that the operating system cannot read.
 * What a prune moves or frees meanwhile is no damage: if packs or snapshots have gone, it looks again.
 */
export async function check(repository: Repository, options: CheckOptions = {}): Promise<CheckReport> {
  await using _lock = await repository.lock('read')
  for (let looks = 1; ; looks++) {
    const snapshots = await snapshotNames(repository)
    const report = await look(repository, options)
    if (report.healthy || looks === MAX_LOOKS) return report
    const left = await snapshotNames(repository)
    const areForgotten = [...snapshots].some((name) => !left.has(name)) // by who took this process for dead, perhaps
    if (!areForgotten && !(await packsHaveGone(repository))) return report
  }
}

/** A prune that could outrun so many looks would have to free packs during each of them. */
const MAX_LOOKS = 3

async function snapshotNames({ backend }: Repository): Promise<Set<string>> {
  const names = new Set<string>()
  for await (const name of backend.list('snapshots')) names.add(name)
  return names
}

/** Whether packs are gone that the index knows: it was compared with them when the look began. */
async function packsHaveGone(repository: Repository): Promise<boolean> {
  const index = await repository.index()
  const known = new Set(Array.from(index.packs(), ({ id }) => id as string))
  for (const packClass of ['data', 'meta'] as const)
    for await (const name of repository.backend.list(packClass)) known.delete(name)
  return known.size > 0
}

async function look(repository: Repository, options: CheckOptions): Promise<CheckReport> {
  const unreadable: [SnapshotId, ChainkeepError][] = []
  const snapshots = await listSnapshots(repository, {}, (...found) => unreadable.push(found)) // before the index: what they need was there before them
  const index = await repository.index()
  await index.refresh()
  const damage = new DamageFound(index)
  for (const found of unreadable) damage.snapshot(...found)
  for (const { error, ...pack } of index.unreadablePacks) damage.pack(pack, error)

  await using reading = startReading(repository, choose(index, options), options)
  const { progress, signal } = options
  const meanwhile = { progress: withBreaks(progress, () => reading.isRunning), signal }
  const notes = noteDates(snapshots, repository.environment.now())
  notes.push(...(await comparePacks(repository, index, damage, meanwhile)))
  notes.push(...(await markObjects(repository, index, snapshots, damage, meanwhile)))
  notes.push(...(await explainMissing(repository, damage)))
  const read = await reading.finish(damage)
  const packs = [...index.packs()]
  const chosen = choose(index, options)
  const damagedSnapshots = damage.count === 0 ? [] : await findLosses(repository, index, snapshots, damage, options)
  const whole = new Set(chosen.map(({ id }) => id))
  notes.push(...(await checkParity(repository, packs, damage, { whole, progress, signal })))
  notes.push(...(await noteLeftovers(repository)))
  return {
    snapshots: snapshots.length,
    packs: packs.length,
    objects: packs.reduce((sum, { objects }) => sum + objects, 0),
    bytes: packs.reduce((sum, { bytes }) => sum + bytes, 0),
    ...read,
    problems: damage.listed,
    problemCount: damage.count,
    damagedSnapshots,
    notes,
    healthy: damage.count === 0,
  }
}

/** A wrong date damages nothing, but "latest" and the rules of forget go by dates. */
function noteDates(snapshots: readonly StoredSnapshot[], nowMs: number): Note[] {
  const { future, past } = splitFuture(snapshots, nowMs)
  const backwards = datedBeforeParent(snapshots, nowMs)
  const before = past.filter((stored) => backwards.has(stored))
  const noteOf = (found: readonly StoredSnapshot[], message: string): Note => ({
    type: 'misdated',
    snapshots: found.map(({ id }) => id),
    message: `${message}: a clock was wrong; forget keeps ${found.length === 1 ? 'it' : 'them'} whatever its rules say`,
  })
  return [
    ...(future.length > 0 ? [noteOf(future, describeFuture(future))] : []),
    ...(before.length > 0 ? [noteOf(before, describeBeforeParent(before))] : []),
  ]
}

async function comparePacks(
  repository: Repository,
  index: ObjectIndex,
  damage: DamageFound,
  { progress, signal }: CheckOptions,
): Promise<Note[]> {
  const onDamaged = damage.pack.bind(damage)
  const packs = await checkPacks(repository, { onDamaged, progress, signal })
  if (packs === 0) return []
  await index.rebuild()
  const message = `the index was wrong about ${packs === 1 ? 'one pack' : `${packs} packs`}, and has been built again`
  return [{ type: 'index-rebuilt', packs, message }]
}

async function markObjects(
  repository: Repository,
  index: ObjectIndex,
  snapshots: readonly StoredSnapshot[],
  damage: DamageFound,
  { progress, signal }: CheckOptions,
): Promise<Note[]> {
  const usage = new UsageCounter()
  const roots = snapshots.map(({ snapshot }) => snapshot.tree)
  await markReachable(repository, roots, {
    onMark: (_, location) => usage.add(location),
    onProblem: (problem) => damage.reference(problem),
    progress,
    signal,
  })
  if (damage.count > 0) return [] // then what is needed is not known
  const packs = Array.from(index.packs(), (pack) => usage.usageOf(pack))
  const unused = packs.filter(({ usedObjects }) => usedObjects === 0)
  if (unused.length === 0) return []
  const bytes = unused.reduce((sum, pack) => sum + pack.bytes, 0)
  const message = `${unused.length === 1 ? 'one pack holds' : `${unused.length} packs hold`} nothing that a snapshot needs; "chainkeep prune" frees the space`
  return [{ type: 'unused', packs: unused.length, bytes, message }]
}

/** Where the index does not tell which packs are gone, what this machine has seen is a hint: prune may have removed them. */
async function explainMissing(repository: Repository, damage: DamageFound): Promise<Note[]> {
  if (await damage.explainMissing()) return []
  const packs = await vanishedPacks(repository)
  if (packs.length === 0) return []
  const files = packs.length === 1 ? 'a pack is' : `${packs.length} packs are`
  const message = `${files} gone that this machine has seen here; what is missing may have been there: ${packs.join(', ')}`
  return [{ type: 'packs-gone', packs, message }]
}

const choose = (index: ObjectIndex, { readData }: CheckOptions): IndexedPack[] =>
  readData === undefined ? [] : choosePacks([...index.packs()], readData)

async function noteLeftovers(repository: Repository): Promise<Note[]> {
  const files = await countLeftovers(repository)
  if (files === 0) return []
  const what = files === 1 ? 'one file in tmp/ is' : `${files} files in tmp/ are`
  return [
    {
      type: 'leftovers',
      files,
      message: `${what} left over from what was interrupted; "chainkeep prune" frees the space`,
    },
  ]
}

/** A second walk, now that all damage is known: what of each snapshot could not be restored. */
async function findLosses(
  repository: Repository,
  index: ObjectIndex,
  snapshots: readonly StoredSnapshot[],
  { lost }: DamageFound,
  { progress = noProgress, signal }: CheckOptions,
): Promise<DamagedSnapshot[]> {
  const salvage = new TreeSalvage(repository, index, ({ ordinal }) => lost.has(ordinal), hashOnly, signal)
  const damaged: DamagedSnapshot[] = []
  for (const [i, stored] of snapshots.entries()) {
    progress({ phase: 'finding what is lost', unit: 'snapshots', filesDone: i, totalFiles: snapshots.length })
    const losses = await lossesOf(salvage, stored)
    if (losses.count > 0) damaged.push({ ...stored, losses })
  }
  return damaged
}

const hashOnly: SaveObject = async (kind, plain) => objectIdAt(hashObject(kind, plain))

async function lossesOf(salvage: TreeSalvage, { snapshot }: StoredSnapshot): Promise<Losses> {
  try {
    return (await salvage.salvage(snapshot.tree)).losses
  } catch (error) {
    if (!isDamage(error)) throw error // beyond this version
    const listed = [{ path: '/' as ByteString, reason: error.message }]
    return { count: 1, listed, files: 0, bytes: 0 }
  }
}
