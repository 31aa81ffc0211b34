import { isCode, throwIfInterrupted } from '../base/errors.ts'
import type { PackId } from '../base/ids.ts'
import type { PackName } from '../format/pack.ts'
import { type CondemnedRecord, loadCondemned, packsIn } from '../repository/condemned.ts'
import { copyRecords, storePack } from '../repository/copy-records.ts'
import type { Lock } from '../repository/lock.ts'
import { readPackTrailer } from '../repository/pack-trailer.ts'
import { PackWriter } from '../repository/pack-writer.ts'
import type { Repository } from '../repository/repository.ts'
import { type Session, survivingSessions } from '../repository/sessions.ts'
import { absolve, condemn, packNames } from './condemn.ts'
import { knows } from './judge-condemned.ts'
import { type NeededObjects, refusal } from './needed-objects.ts'
import type { PackRewrite } from './prune-plan.ts'
import { removePacks } from './remove-packs.ts'

/** A prune under way. */
export interface Pruning {
  readonly repository: Repository
  readonly lock: Lock
  readonly needed: NeededObjects
  readonly done: PruneCounts
  readonly rewritten: Set<PackId>
  readonly signal: AbortSignal | undefined
  /** Called when a pack has been rewritten or deleted. */
  readonly report: () => void
}

export interface PruneCounts {
  /** Packs that nothing needed, and that were deleted. */
  packsRemoved: number
  /** Packs whose needed objects were copied into new ones, these, and how many of the former were deleted, too. */
  packsRewritten: number
  packsWritten: number
  originalsRemoved: number
  /** By how much `data/` and `meta/` have shrunk: less than nothing where copies were written and the originals stay for now. */
  objectsFreed: number
  bytesFreed: number
}

/** Copies what is needed in packs into new ones. */
export async function rewritePacks(pruning: Pruning, groups: readonly PackRewrite[]): Promise<void> {
  const { done, report } = pruning
  for (const group of groups) {
    throwIfInterrupted(pruning.signal)
    await rewrite(pruning, group)
    for (const { id } of group.packs) {
      pruning.needed.forgetPack(id)
      pruning.rewritten.add(id)
      done.packsRewritten++
      report()
    }
  }
}

async function rewrite({ repository, lock, needed, done }: Pruning, { packClass, packs }: PackRewrite): Promise<void> {
  const index = await repository.index()
  const writer = new PackWriter(packClass)
  let objects = 0
  for (const pack of packs)
    try {
      const firstOrdinal = index.pack(pack.id)?.firstOrdinal ?? Number.NaN
      const entries = await readPackTrailer(repository.backend, packClass, pack.id)
      const used = entries.filter((_, i) => needed.marks.has(firstOrdinal + i))
      if (used.length < pack.usedObjects) throw refusal(`${packClass}/${pack.id} does not hold what the index says`)
      await copyRecords(repository, pack, used, writer)
      objects += used.length
    } catch (error) {
      if (isCode(error, 'BAD_FORMAT', 'TRUNCATED')) throw refusal(error.message, error)
      throw error
    }
  const { bytes } = await storePack(repository, writer, lock)
  done.packsWritten++
  done.objectsFreed -= objects
  done.bytesFreed -= bytes
}

/**
 * Deletes the packs that records name, but for those that a snapshot has come to need, and the records: unless somebody is at
 * work who may rely on them; then they stay as they are, for a later prune. FORMAT.md §9 says why it is done in this order.
 */
export async function carryOut(pruning: Pruning, records: readonly CondemnedRecord[]): Promise<void> {
  const { repository, lock, needed } = pruning
  if (records.length === 0 || !(await nobodyRelies(pruning, records))) return
  await needed.update()
  const packs = packNames(records).filter(({ id }) => !needed.isIn(id))
  const earlier = packsIn(records.filter(({ stage }) => stage === 'sentenced'))
  const rest = packs.filter(({ id }) => !earlier.has(id))
  const sentences = await condemn(repository, lock, 'sentenced', rest, [])
  if (sentences.length > 0 && !(await nobodyRelies(pruning, records, sentences))) return
  await deletePacks(pruning, packs)
  await absolve(repository, [...records.filter(({ stage }) => stage === 'condemned'), ...sentences])
}

/**
 * Whether all who are at work know of the records, or of the sentences that followed them, and so use none of their packs; and
 * whether the records have been there all along, so that nobody can have begun, and ended, who did not.
 */
async function nobodyRelies(
  { repository, lock }: Pruning,
  records: readonly CondemnedRecord[],
  sentences: readonly CondemnedRecord[] = [],
): Promise<boolean> {
  const { backend, environment } = repository
  const there = await loadCondemned(backend)
  if (!records.every(({ name }) => there.has(name))) return false
  const { alive } = await survivingSessions(backend, environment, lock.name)
  const knowsAll = (session: Session, some: readonly CondemnedRecord[]): boolean =>
    some.length > 0 && some.every((record) => knows(session, record))
  return alive.every((session) => knowsAll(session, records) || knowsAll(session, sentences))
}

async function deletePacks(pruning: Pruning, packs: readonly PackName[]): Promise<void> {
  const { repository, done, rewritten, signal, report } = pruning
  const index = await repository.index()
  for (const pack of packs) {
    throwIfInterrupted(signal)
    const known = index.pack(pack.id)
    await removePacks(repository, [pack])
    if (!known) continue // gone already, or unreadable
    if (rewritten.has(pack.id)) done.originalsRemoved++
    else done.packsRemoved++
    done.objectsFreed += known.objects
    done.bytesFreed += known.bytes
    report()
  }
}
