import { ChainkeepError, isCode, throwIfInterrupted } from '../base/errors.ts'
import type { SnapshotId } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import { MAX_LISTED_FAILURES, type Snapshot } from '../format/snapshot.ts'
import type { Repository } from '../repository/repository.ts'
import { secureTrees } from '../repository/secure-trees.ts'
import {
  listSnapshots,
  loadSnapshot,
  REPAIRED_TAG,
  removeSnapshot,
  type StoredSnapshot,
  saveSoundSnapshot,
} from '../repository/snapshots.ts'
import { changeTags } from './retag.ts'
import { type Losses, type Salvaged, TreeSalvage } from './salvage-tree.ts'

export interface RepairSnapshotsOptions {
  /** Look at these only. Default: all. */
  readonly snapshots?: readonly StoredSnapshot[]
  /** Remove the damaged snapshots once the repaired ones are stored, and those of which nothing is left. */
  readonly forgetOriginals?: boolean
  /** Say what would be left out, and change nothing. */
  readonly dryRun?: boolean
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

export interface RepairSnapshotsResult {
  /** How many were looked at. */
  readonly snapshots: number
  readonly repaired: readonly RepairedSnapshot[]
  /** Snapshots that cannot be read, or only by a newer version: they stay as they are. */
  readonly unreadable: readonly { readonly id: SnapshotId; readonly message: string }[]
}

export interface RepairedSnapshot {
  readonly original: StoredSnapshot
  /** Absent in a dry run, and if nothing was left to be stored. */
  readonly id: SnapshotId | undefined
  /** What is left out. */
  readonly losses: Losses
}

/**
 * For each snapshot that lacks something, stores another without the files and directories that are lost; they are named among
 * its failures. The originals stay until they are forgotten. Damage in packs that are still there is found only as far as
 * trees and lists are concerned: run `repairPacks` first. Rejects LOCKED, INTERRUPTED, and REFUSED for `forgetOriginals` while
 * packs cannot be read from which `repairPacks` might still save something.
 */
export async function repairSnapshots(
  repository: Repository,
  options: RepairSnapshotsOptions = {},
): Promise<RepairSnapshotsResult> {
  const { forgetOriginals = false, dryRun = false, progress = noProgress, signal } = options
  await using lock = await repository.lock(dryRun ? 'read' : 'write')
  const unreadable: { id: SnapshotId; message: string }[] = []
  const snapshots =
    options.snapshots ?? (await listSnapshots(repository, {}, (id, { message }) => unreadable.push({ id, message })))
  const index = await repository.index()
  await index.refresh()
  if (forgetOriginals && index.unreadablePacks.length > 0)
    throw new ChainkeepError(
      'REFUSED',
      'there are packs that cannot be read: run "chainkeep repair packs" before damaged snapshots are removed, since it may save what they need',
      { packs: index.unreadablePacks.map(({ id }) => id) },
    )
  await using session = repository.beginWrite({ dryRun, lock })
  const salvage = new TreeSalvage(
    repository,
    index,
    () => false,
    (kind, plain) => session.saveObject(kind, plain),
    signal,
  )
  const damaged: (Salvaged & { original: StoredSnapshot })[] = []
  for (const [i, original] of snapshots.entries()) {
    throwIfInterrupted(signal)
    progress({ phase: 'looking for what is lost', unit: 'snapshots', filesDone: i, totalFiles: snapshots.length })
    try {
      await loadSnapshot(repository, original.id) // it may have been forgotten, and pruned, before there was a lock
      const salvaged = await salvage.salvage(original.snapshot.tree)
      if (salvaged.losses.count > 0) damaged.push({ ...salvaged, original })
    } catch (error) {
      if (isCode(error, 'NOT_FOUND')) continue
      if (!isCode(error, 'UNSUPPORTED')) throw error
      unreadable.push({ id: original.id, message: error.message })
    }
  }
  await session.flush() // FORMAT.md §10: packs, then index, then snapshots
  const save = async (snapshot: Snapshot): Promise<SnapshotId> => {
    if (repository.condemned.size > 0 && !(await secureTrees(repository, [snapshot.tree], { lock, signal })).isWhole)
      throw new ChainkeepError('LOCKED', 'a prune has deleted meanwhile what a repaired snapshot needs; try again')
    const id = await saveSoundSnapshot(repository, snapshot, lock)
    lock.holdsUnpublished = false
    return id
  }
  const repaired: RepairedSnapshot[] = []
  for (const { original, tree, losses } of damaged) {
    const id = tree && !dryRun ? await save({ ...repairedManifest(original, losses), tree }) : undefined
    if (forgetOriginals && !dryRun) await removeSnapshot(repository, original.id)
    repaired.push({ original, id, losses })
  }
  return { snapshots: snapshots.length, repaired, unreadable }
}

/** Depends on the original and what is lost alone: the same repair made twice gives the same snapshot. */
function repairedManifest({ id, snapshot }: StoredSnapshot, losses: Losses): Snapshot {
  const { summary } = snapshot
  return {
    ...snapshot,
    original: id,
    tags: changeTags(snapshot.tags, { add: [REPAIRED_TAG] }),
    failures: [...snapshot.failures, ...losses.listed].slice(0, MAX_LISTED_FAILURES),
    failureCount: snapshot.failureCount + losses.count,
    summary: {
      ...summary,
      totalFiles: Math.max(0, summary.totalFiles - losses.files),
      totalBytes: Math.max(0, summary.totalBytes - losses.bytes),
    },
  }
}
