import { throwIfInterrupted } from '../base/errors.ts'
import type { PackId } from '../base/ids.ts'
import type { PackEntry } from '../format/pack.ts'
import { readRecords } from '../repository/copy-records.ts'
import { isDamage } from '../repository/damage.ts'
import type { OrdinalSet } from '../repository/ordinal-set.ts'
import { readPackTrailer } from '../repository/pack-trailer.ts'
import type { Repository } from '../repository/repository.ts'
import type { PackUsage } from './pack-usage.ts'

/**
 * Of a chunk that several packs hold, prune keeps the copy that is marked. Makes sure that this one is sound before `packs`
 * go, in which there may be others. Of metadata, finding out what is marked has read every kept copy already. Rejects
 * NOT_FOUND, CORRUPT, BAD_FORMAT or TRUNCATED for a kept copy that is damaged, and INTERRUPTED. Cost: the trailers of
 * `packs`, a look-up of all that goes with them, and one reading of the chunks of which another copy stays.
 */
export async function requireSoundCopies(
  repository: Repository,
  packs: readonly PackUsage[],
  marks: OrdinalSet,
  signal?: AbortSignal,
): Promise<void> {
  for (const pack of packs) {
    if (pack.packClass !== 'data') continue
    for (const [id, entries] of await keptCopies(repository, pack, marks)) {
      const records = readRecords(repository, { packClass: 'data', id }, entries)
      while (!(await records.next()).done) throwIfInterrupted(signal)
    }
  }
}

/** The marked copies of what is not marked in a pack, by the packs that they are in, front to back. */
async function keptCopies(
  repository: Repository,
  { packClass, id }: PackUsage,
  marks: OrdinalSet,
): Promise<ReadonlyMap<PackId, PackEntry[]>> {
  const index = await repository.index()
  const copies = new Map<PackId, PackEntry[]>()
  const firstOrdinal = index.pack(id)?.firstOrdinal
  const trailer = await readPackTrailer(repository.backend, packClass, id).catch((error: unknown) => {
    if (isDamage(error)) return [] // nobody can read what is in it
    throw error
  })
  const going = trailer.filter((_, i) => firstOrdinal !== undefined && !marks.has(firstOrdinal + i))
  const locations = await index.locate('chunk', Buffer.concat(going.map((entry) => entry.id)))
  for (const [i, location] of locations.entries()) {
    if (!location || !marks.has(location.ordinal)) continue
    const { pack, offset, storedLength, plainLength, codec } = location
    const entries = copies.get(pack) ?? []
    entries.push({ ...going[i]!, offset, storedLength, plainLength, codec })
    copies.set(pack, entries)
  }
  for (const entries of copies.values()) entries.sort((a, b) => a.offset - b.offset)
  return copies
}
