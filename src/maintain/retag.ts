import { throwIfInterrupted } from '../base/errors.ts'
import type { SnapshotId } from '../base/ids.ts'
import type { Snapshot } from '../format/snapshot.ts'
import type { Repository } from '../repository/repository.ts'
import { removeSnapshot, type StoredSnapshot, saveSnapshot } from '../repository/snapshots.ts'

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
 * same are left alone. Stopped anywhere, each snapshot is there, one of them perhaps under both ids. Rejects LOCKED,
 * INTERRUPTED.
 */
export async function retag(
  repository: Repository,
  snapshots: readonly StoredSnapshot[],
  change: TagChange,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<RetaggedSnapshot[]> {
  await using _lock = await repository.lock('write')
  const retagged: RetaggedSnapshot[] = []
  for (const { id, snapshot } of snapshots) {
    throwIfInterrupted(signal)
    const tags = changeTags(snapshot.tags, change)
    if (tags.join('\0') === snapshot.tags.join('\0')) continue
    const changed: Snapshot = { ...snapshot, tags, original: snapshot.original ?? id }
    const newId = await saveSnapshot(repository, changed) // durable before the old one goes
    await removeSnapshot(repository, id)
    retagged.push({ id: newId, snapshot: changed, replaced: id })
  }
  return retagged
}

/** Sorted, each once, as in every manifest. */
export function changeTags(tags: readonly string[], { set, add = [], remove = [] }: TagChange): string[] {
  const kept = set ?? tags.filter((tag) => !remove.includes(tag))
  return [...new Set([...kept, ...add])].sort()
}
