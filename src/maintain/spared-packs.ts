import { forEachLimited } from '../base/async.ts'
import type { PackId } from '../base/ids.ts'
import type { PackName } from '../format/pack.ts'
import type { Repository } from '../repository/repository.ts'
import type { Session } from '../repository/sessions.ts'

/** Enough for a disk; a share on the network has one more round trip for so many files. */
const LOOKS_AT_ONCE = 16

/**
 * Those of `packs` that were written while one of `writers` was at work: what they store is not referred to before they have
 * finished, and what they stored and did not publish is used by the next. Rejects NOT_FOUND for a pack that is gone.
 */
export async function sparedPacks(
  { backend }: Repository,
  packs: Iterable<PackName>,
  writers: readonly Session[],
): Promise<ReadonlySet<PackId>> {
  const spared = new Set<PackId>()
  if (writers.length === 0) return spared
  await forEachLimited(packs, LOOKS_AT_ONCE, async ({ packClass, id }) => {
    const { modifiedMs } = await backend.stat(packClass, id)
    if (writers.some(({ sinceMs, untilMs = Infinity }) => sinceMs <= modifiedMs && modifiedMs <= untilMs))
      spared.add(id)
  })
  return spared
}
