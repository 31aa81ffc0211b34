import { ID_BYTES, idBytes, type SnapshotId, snapshotIdAt } from '../base/ids.ts'
import type { CondemnedRecord } from './condemned.ts'
import { recall, remember } from './remembered.ts'
import type { Repository } from './repository.ts'

const FILE = 'cleared'
const NAME_BYTES = 16

/**
 * Those condemned records that may name a pack which a snapshot needs: they were written when it was not there yet, and this
 * machine has not found out otherwise.
 */
export function doubtsAbout(
  repository: Repository,
  snapshot: SnapshotId,
  records: Iterable<CondemnedRecord> = repository.condemned.values(),
): CondemnedRecord[] {
  const unseen = [...records].filter(({ snapshots }) => !snapshots.includes(snapshot))
  if (unseen.length === 0) return []
  const cleared = new Set(recallCleared(repository).flatMap(({ id, record }) => (id === snapshot ? [record] : [])))
  return unseen.filter(({ name }) => !cleared.has(name))
}

/** Notes that a snapshot needs no pack that these records name. */
export async function rememberCleared(
  repository: Repository,
  snapshot: SnapshotId,
  records: readonly CondemnedRecord[],
): Promise<void> {
  const kept = recallCleared(repository).filter(({ record }) => repository.condemned.has(record))
  const added = records.map(({ name }) => ({ id: snapshot, record: name }))
  if (kept.length + added.length === 0) return
  const items = [...kept, ...added].map(({ id, record }) => Buffer.concat([idBytes(id), Buffer.from(record, 'hex')]))
  await remember(repository, FILE, items)
}

function recallCleared(repository: Repository): { id: SnapshotId; record: string }[] {
  return recall(repository, FILE, ID_BYTES + NAME_BYTES).map((item) => ({
    id: snapshotIdAt(item),
    record: Buffer.from(item.subarray(ID_BYTES)).toString('hex'),
  }))
}
