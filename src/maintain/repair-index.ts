import type { PackId } from '../base/ids.ts'
import type { Repository } from '../repository/repository.ts'

export interface RepairIndexResult {
  readonly packs: number
  readonly objects: number
  /** Packs whose trailer cannot be read: `repairPacks` saves what is in them. */
  readonly unreadable: readonly PackId[]
}

/** Builds the index again from the packs. */
export async function repairIndex(repository: Repository): Promise<RepairIndexResult> {
  const index = await repository.index()
  await index.rebuild()
  const packs = [...index.packs()]
  return {
    packs: packs.length,
    objects: packs.reduce((sum, { objects }) => sum + objects, 0),
    unreadable: index.unreadablePacks.map(({ id }) => id),
  }
}
