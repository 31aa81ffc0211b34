import { randomBytes } from 'node:crypto'
import type { PackId, SnapshotId } from '../base/ids.ts'
import { type CondemnedStage, encodeCondemned, MAX_CONDEMNED_IDS } from '../format/condemned.ts'
import type { PackName } from '../format/pack.ts'
import { type CondemnedRecord, type CondemnedRecords, packsIn } from '../repository/condemned.ts'
import type { Lock } from '../repository/lock.ts'
import type { Repository } from '../repository/repository.ts'
import { withReserve } from '../repository/reserve.ts'

/**
 * Writes down that packs are to be deleted; from here on nobody begins to rely on them. `snapshots` are those that are known
 * to need none of them. Rejects LOCKED, and nothing is condemned, if the lock is gone.
 */
export async function condemn(
  repository: Repository,
  lock: Lock,
  stage: CondemnedStage,
  packs: readonly PackName[],
  snapshots: readonly SnapshotId[],
): Promise<CondemnedRecord[]> {
  const { environment } = repository
  const written: CondemnedRecord[] = []
  for (let from = 0; from < packs.length; from += MAX_CONDEMNED_IDS) {
    const some = packs.slice(from, from + MAX_CONDEMNED_IDS)
    const idsOf = (packClass: PackName['packClass']): PackId[] =>
      some.flatMap((pack) => (pack.packClass === packClass ? [pack.id] : [])).sort()
    const record: CondemnedRecord = {
      name: randomBytes(16).toString('hex'),
      stage,
      timeMs: environment.now(),
      host: environment.host,
      pid: process.pid,
      data: idsOf('data'),
      meta: idsOf('meta'),
      snapshots: snapshots.slice(0, MAX_CONDEMNED_IDS).sort(),
    }
    await withReserve(repository.backend, () => lock.publish('condemned', record.name, [encodeCondemned(record)]))
    written.push(record)
  }
  await setCondemned(
    repository,
    new Map([...repository.condemned, ...written.map((record) => [record.name, record] as const)]),
  )
  return written
}

/** Removes records that have done their service: their packs are gone, or needed after all. */
export async function absolve(repository: Repository, records: readonly CondemnedRecord[]): Promise<void> {
  const left = new Map(repository.condemned)
  for (const { name } of records) {
    await repository.backend.remove('condemned', name)
    left.delete(name)
  }
  await setCondemned(repository, left)
}

/** The packs of records, by their files. */
export const packNames = (records: readonly CondemnedRecord[]): PackName[] =>
  records.flatMap(({ data, meta }) => [
    ...data.map((id) => ({ packClass: 'data' as const, id })),
    ...meta.map((id) => ({ packClass: 'meta' as const, id })),
  ])

async function setCondemned(repository: Repository, records: CondemnedRecords): Promise<void> {
  repository.condemned = records
  const index = await repository.index()
  index.condemn(packsIn(records.values()))
}
