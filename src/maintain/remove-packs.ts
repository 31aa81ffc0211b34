import type { PackName } from '../format/pack.ts'
import type { Repository } from '../repository/repository.ts'

/** Removes packs that are sentenced. Those that are gone already are no failure. */
export async function removePacks(repository: Repository, packs: readonly PackName[]): Promise<void> {
  const index = await repository.index()
  await index.dropPacks(packs.map(({ id }) => id)) // FORMAT.md §10: no look-up may find a pack whose file is gone
  for (const { packClass, id } of packs) {
    await repository.backend.remove(packClass, id)
    await repository.backend.remove('parity', id)
  }
}
