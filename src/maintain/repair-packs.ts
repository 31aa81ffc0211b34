import { ChainkeepError, throwIfInterrupted } from '../base/errors.ts'
import { type PackId, parsePackId } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import { recordLength } from '../format/object.ts'
import type { PackName } from '../format/pack.ts'
import { storePack } from '../repository/copy-records.ts'
import type { Lock } from '../repository/lock.ts'
import { PackWriter } from '../repository/pack-writer.ts'
import type { Repository } from '../repository/repository.ts'
import { absolve, condemn } from './condemn.ts'
import { healPack } from './heal-pack.ts'
import { removePacks } from './remove-packs.ts'
import { repairParity } from './repair-parity.ts'
import { type SalvagedPack, salvagePack } from './salvage-pack.ts'
import { verifyPacks } from './verify-packs.ts'

export interface RepairPacksOptions {
  /** Repair these, damaged or not. Default: read all packs, and repair those that are damaged. */
  readonly packs?: readonly PackId[]
  /** Say what could be saved, and change nothing. */
  readonly dryRun?: boolean
  /** Worker threads for reading; default: one for each core. */
  readonly threads?: number
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

export interface RepairedPack extends PackName {
  /** Objects that were saved, into a new pack unless this one was healed. */
  readonly salvaged: number
  /** Objects that were not; `undefined` if nobody knows how many there were. */
  readonly lost: number | undefined
  /** So many blocks were computed from its parity: it is again as it was, under its name. */
  readonly healed?: number
  /** Only its parity was damaged, and is written again. */
  readonly parityOnly?: true
}

/**
 * Heals damaged packs that have parity enough. Saves what is sound in the others into new ones, and removes the damaged. What is lost is then missing, and no longer
 * in the way: a backup stores it again if the source still has it, and `repairSnapshots` does without it. Stopped anywhere,
 * it loses nothing that was sound. Damaged parity is written again. Rejects LOCKED, NOT_FOUND for a pack that is not there, INTERRUPTED, and IO or DENIED where a
 * pack cannot be read for reasons that need not be its own: it stays.
 */
export async function repairPacks(repository: Repository, options: RepairPacksOptions = {}): Promise<RepairedPack[]> {
  const { dryRun = false, progress = noProgress, signal } = options
  await using lock = await repository.lock(dryRun ? 'read' : 'prune')
  const index = await repository.index()
  await index.refresh()
  const damaged = options.packs ? await findPacks(repository, options.packs) : await findDamaged(repository, options)
  const repaired: RepairedPack[] = []
  for (const [i, pack] of damaged.entries()) {
    throwIfInterrupted(signal)
    progress({ phase: 'repairing packs', unit: 'packs', filesDone: i, totalFiles: damaged.length })
    const changing = dryRun ? undefined : lock
    repaired.push((await tryHeal(repository, pack, changing)) ?? (await salvage(repository, pack, changing)))
  }
  await index.refresh() // healed packs can be read in
  if (options.packs) return repaired
  const rewritten = await repairParity(repository, new Set(damaged.map(({ id }) => id)), { dryRun, progress, signal })
  return [...repaired, ...rewritten.map((pack) => ({ ...pack, salvaged: 0, lost: 0, parityOnly: true as const }))]
}

/** Puts the healed pack in the place of the damaged one, unless there is no `lock`; undefined if it cannot be healed, or is sound. */
async function tryHeal(
  repository: Repository,
  pack: PackName,
  lock: Lock | undefined,
): Promise<RepairedPack | undefined> {
  const healed = await healPack(repository, pack)
  if (!healed) return undefined
  const { bytes, blocks, objects } = healed
  if (lock) {
    await lock.confirm()
    await repository.backend.replace(pack.packClass, pack.id, [bytes]) // there is always the damaged one or the healed
    if (!healed.isParitySound) await repository.protect(pack, { percent: healed.percent })
  }
  return { ...pack, salvaged: objects, lost: 0, healed: blocks }
}

async function salvage(repository: Repository, pack: PackName, lock: Lock | undefined): Promise<RepairedPack> {
  const index = await repository.index()
  const found = await salvagePack(repository, pack)
  const objects = found.objects ?? index.pack(pack.id)?.objects
  if (lock) await replaceWith(repository, pack, found, lock)
  const salvaged = found.entries.length
  return { ...pack, salvaged, lost: objects === undefined ? undefined : objects - salvaged }
}

async function findDamaged(
  repository: Repository,
  { threads, progress, signal }: RepairPacksOptions,
): Promise<PackName[]> {
  const index = await repository.index()
  const damaged = new Map<PackId, PackName>()
  const add = ({ packClass, id }: PackName): unknown => damaged.set(id, { packClass, id })
  for (const pack of index.unreadablePacks) add(pack)
  const packs = [...index.packs()]
  await verifyPacks(repository, packs, {
    onDamagedPack: add,
    onDamagedObject: ({ pack }) => add(pack),
    threads,
    totalBytes: packs.reduce((sum, { bytes }) => sum + bytes, 0),
    progress,
    signal,
  })
  return [...damaged.values()]
}

/** The classes of the packs. Those that are not in the index may still be there. */
async function findPacks({ backend }: Repository, ids: readonly PackId[]): Promise<PackName[]> {
  const wanted = new Set<string>(ids)
  const found: PackName[] = []
  for (const packClass of ['data', 'meta'] as const)
    for await (const name of backend.list(packClass))
      if (wanted.delete(name)) found.push({ packClass, id: parsePackId(name) })
  const [missing] = wanted
  if (missing !== undefined) throw new ChainkeepError('NOT_FOUND', `there is no pack ${missing}`, { id: missing })
  return found
}

/** Whoever relies on the damaged pack loses nothing by its going: what was sound is in the new one. So nobody is waited for. */
async function replaceWith(
  repository: Repository,
  pack: PackName,
  { bytes, entries }: SalvagedPack,
  lock: Lock,
): Promise<void> {
  if (entries.length > 0) {
    const writer = new PackWriter(pack.packClass)
    for (const entry of entries)
      writer.add({
        ids: entry.id,
        headers: [entry],
        records: bytes.subarray(entry.offset, entry.offset + recordLength(entry)),
      })
    await storePack(repository, writer, lock)
  }
  const records = await condemn(repository, lock, 'sentenced', [pack], [])
  await removePacks(repository, [pack])
  await absolve(repository, records)
}
