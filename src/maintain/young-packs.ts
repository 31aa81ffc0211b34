import { forEachLimited } from '../base/async.ts'
import type { PackId } from '../base/ids.ts'
import type { IndexedPack } from '../repository/object-index.ts'
import type { Repository } from '../repository/repository.ts'

/** Enough for a disk; a share on the network has one more round trip for so many files. */
const LOOKS_AT_ONCE = 16

/**
 * Those of `packs` that were written less than `graceMs` ago; one from the future, where clocks differ, was written just now.
 * Asks for the time of every pack, unless `graceMs` is 0. Rejects NOT_FOUND for a pack that is gone.
 */
export async function youngPacks(
  { backend, environment }: Repository,
  packs: Iterable<IndexedPack>,
  graceMs: number,
): Promise<ReadonlySet<PackId>> {
  const young = new Set<PackId>()
  if (graceMs === 0) return young
  const nowMs = environment.now()
  await forEachLimited(packs, LOOKS_AT_ONCE, async ({ packClass, id }) => {
    const { modifiedMs } = await backend.stat(packClass, id)
    if (nowMs - modifiedMs < graceMs) young.add(id)
  })
  return young
}
