import { isCode, throwIfInterrupted } from '../base/errors.ts'
import { type SnapshotId, shortId } from '../base/ids.ts'
import { MAX_SNAPSHOT_BYTES, type Snapshot } from '../format/snapshot.ts'
import { doubtsAbout } from '../repository/cleared-snapshots.ts'
import type { Lock } from '../repository/lock.ts'
import { readBounded } from '../repository/read-bounded.ts'
import type { Repository } from '../repository/repository.ts'
import { secureTrees } from '../repository/secure-trees.ts'
import { survivingSessions } from '../repository/sessions.ts'
import { loadSnapshot, removeSnapshot, type StoredSnapshot, saveSoundSnapshot } from '../repository/snapshots.ts'

/** `set` replaces all tags; else those to be removed go first, and then those to be added come. */
export interface TagChange {
  readonly set?: readonly string[]
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
}

export interface RetaggedSnapshot extends StoredSnapshot {
  /** What it was called before. */
  readonly replaced: SnapshotId
}

/**
 * Changes the tags of snapshots. As the id is a hash of the manifest, each gets a new one; snapshots that would stay the
 * same are left alone. Stopped anywhere, each snapshot is there, one of them perhaps under both ids. Rejects NOT_FOUND for one
 * that was forgotten and pruned meanwhile, LOCKED, INTERRUPTED.
 */
export async function retag(
  repository: Repository,
  snapshots: readonly StoredSnapshot[],
  change: TagChange,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<RetaggedSnapshot[]> {
  await using lock = await repository.lock('write')
  const retagged: RetaggedSnapshot[] = []
  for (const { id, snapshot } of snapshots) {
    throwIfInterrupted(signal)
    const tags = changeTags(snapshot.tags, change)
    if (tags.join('\0') === snapshot.tags.join('\0')) continue
    const changed: Snapshot = { ...snapshot, tags, original: snapshot.original ?? id }
    await secure(repository, { id, snapshot }, lock)
    const newId = await replace(repository, id, changed, lock)
    retagged.push({ id: newId, snapshot: changed, replaced: id })
  }
  return retagged
}

/**
 * The new one is durable before the old one goes. If the new one is there already, somebody who gives the old tags back may be
 * about to remove it in favour of the old one: then both stay.
 */
async function replace(repository: Repository, id: SnapshotId, changed: Snapshot, lock: Lock): Promise<SnapshotId> {
  const { backend, environment } = repository
  let isSafe = true
  const newId = await saveSoundSnapshot(repository, changed, lock, async () => {
    const { alive } = await survivingSessions(backend, environment, lock.name)
    isSafe = !alive.some(({ mode }) => mode === 'write')
  })
  lock.holdsUnpublished = false
  if (isSafe) {
    await lock.confirm() // else somebody may have taken the new one away again
    await removeFor(repository, id, newId)
    await lock.confirm()
  } else
    environment.notice(
      `snapshot ${shortId(newId)} was there already, and somebody else is at work, perhaps on it: ${shortId(id)} stays beside it; run it again to remove that`,
    )
  return newId
}

/** Removes a snapshot, and puts it back if the other is gone: by somebody who took this process for dead while it slept. */
async function removeFor(repository: Repository, id: SnapshotId, other: SnapshotId): Promise<void> {
  const { backend } = repository
  const bytes = await readBounded(backend, 'snapshots', id, MAX_SNAPSHOT_BYTES)
  await removeSnapshot(repository, id)
  try {
    await backend.stat('snapshots', other)
  } catch (error) {
    if (!isCode(error, 'NOT_FOUND')) throw error
    await backend.put('snapshots', id, [bytes]).catch((failure: unknown) => {
      if (!isCode(failure, 'EXISTS')) throw failure // or it has been given those tags once more
    })
  }
}

/** Makes sure that what a snapshot needs is there and stays: it is about to be needed by another. */
async function secure(repository: Repository, { id, snapshot }: StoredSnapshot, lock: Lock): Promise<void> {
  await loadSnapshot(repository, id) // it may have been forgotten, and pruned, before there was a lock
  if (doubtsAbout(repository, id).length === 0) return
  if ((await secureTrees(repository, [snapshot.tree], { lock })).isWhole) return
  await loadSnapshot(repository, id) // being forgotten is a reason not to change its tags, being damaged is none
}

/** Sorted, each once, as in every manifest. */
export function changeTags(tags: readonly string[], { set, add = [], remove = [] }: TagChange): string[] {
  const kept = set ?? tags.filter((tag) => !remove.includes(tag))
  return [...new Set([...kept, ...add])].sort()
}
