import { checkRecord, recordLength } from '../format/object.ts'
import type { PackEntry, PackName } from '../format/pack.ts'
import type { Lock } from './lock.ts'
import { type PackRun, packRuns } from './pack-runs.ts'
import type { FinishedPack, PackWriter } from './pack-writer.ts'
import type { Repository } from './repository.ts'

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

/** Stores a pack that is not empty, and enters it in the index. Rejects LOCKED if it was taken away because the lock is gone. */
export async function storePack(repository: Repository, writer: PackWriter, lock: Lock): Promise<FinishedPack> {
  const index = await repository.index()
  const pack = writer.finish()
  try {
    await repository.backend.put(pack.packClass, pack.id, pack.parts)
    await repository.protect(pack)
  } catch (error) {
    throw await lock.whyFailed(error)
  }
  await index.addPack(pack.id, pack.bytes, pack.entries) // of what was copied there are two copies now, and either will do
  return pack
}
