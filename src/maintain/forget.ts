import { throwIfInterrupted } from '../base/errors.ts'
import type { SnapshotId } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import type { Repository } from '../repository/repository.ts'
import { removeSnapshot } from '../repository/snapshots.ts'

/**
 * Removes snapshots, also damaged ones. Their objects stay until `prune`; a snapshot that is gone already is no error.
 * Takes no lock: a backup or prune at the same time is not disturbed. Rejects DENIED, IO, INTERRUPTED; then some may be
 * removed, and the others are untouched.
 */
export async function forget(
  repository: Repository,
  ids: readonly SnapshotId[],
  { progress = noProgress, signal }: { readonly progress?: Progress; readonly signal?: AbortSignal } = {},
): Promise<void> {
  repository.requireWritable()
  for (const [i, id] of ids.entries()) {
    throwIfInterrupted(signal)
    progress({ phase: 'removing snapshots', unit: 'snapshots', filesDone: i, totalFiles: ids.length })
    await removeSnapshot(repository, id)
  }
}
