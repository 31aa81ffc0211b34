import { checkRecord, recordLength } from '../format/object.ts'
import type { PackEntry, PackName } from '../format/pack.ts'
import type { PackWriter } from '../repository/pack-writer.ts'
import type { Repository } from '../repository/repository.ts'
import { type PackRun, packRuns } from './pack-runs.ts'

/**
 * Appends records of a pack as they are stored. `entries` are of its trailer, in order. Rejects CORRUPT, BAD_FORMAT or
 * TRUNCATED for a record that is damaged: what is copied is sound, as far as that can be told without opening it.
 */
export async function copyRecords(
  repository: Repository,
  pack: PackName,
  entries: readonly PackEntry[],
  writer: PackWriter,
): Promise<void> {
  for await (const { run, records } of readRecords(repository, pack, entries))
    writer.add({ ids: Buffer.concat(run.entries.map((entry) => entry.id)), headers: run.entries, records })
}

/** Reads records of a pack, those that lie together at once, and rejects as `copyRecords`. The caller owns the bytes. */
export async function* readRecords(
  { backend }: Repository,
  { packClass, id }: PackName,
  entries: readonly PackEntry[],
): AsyncGenerator<{ run: PackRun; records: Uint8Array }, void, undefined> {
  for (const run of packRuns(entries)) {
    const records = await backend.get(packClass, id, { offset: run.offset, length: run.bytes })
    for (const entry of run.entries) {
      const start = entry.offset - run.offset
      const record = records.subarray(start, start + recordLength(entry))
      checkRecord(record, entry, `${packClass}/${id}`, entry.offset)
    }
    yield { run, records }
  }
}

/**
 * Puts a new pack in the place of old ones, the lock `prune` being held. Stopped anywhere it loses nothing, given that the
 * new pack holds all that is needed of the old ones. Returns the new pack's length.
 */
export async function replacePacks(
  repository: Repository,
  writer: PackWriter,
  old: readonly PackName[],
): Promise<number> {
  const { backend } = repository
  const index = await repository.index()
  const pack = writer.finish()
  await backend.put(pack.packClass, pack.id, pack.parts) // durable; until here, all that can be left over is a file in tmp/
  await repository.protect(pack)
  await index.addPack(pack.id, pack.bytes, pack.entries) // from the put on there are two copies, and either will do
  await removePacks(repository, old)
  return pack.bytes
}

/** Removes packs that hold nothing that is needed, or nothing that is not elsewhere, the lock `prune` being held. */
export async function removePacks(repository: Repository, packs: readonly PackName[]): Promise<void> {
  const index = await repository.index()
  await index.dropPacks(packs.map(({ id }) => id)) // FORMAT.md §10: no look-up may find a pack whose file is gone
  for (const { packClass, id } of packs) {
    await repository.backend.remove(packClass, id) // a file left over is read in and pruned again
    await repository.backend.remove('parity', id)
  }
}
