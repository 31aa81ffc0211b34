import type { PackId } from '../base/ids.ts'
import type { Repository } from '../repository/repository.ts'

export interface RepairIndexResult {
  readonly packs: number
  readonly objects: number
  /** Packs whose trailer cannot be read: `repairPacks` saves what is in them. */
  readonly unreadable: readonly PackId[]
}

/** Builds the index again from the packs. Rejects DENIED, NO_SPACE, IO or LOCKED if it would not outlive this process. */
export async function repairIndex(repository: Repository): Promise<RepairIndexResult> {
  const index = await repository.index()
  await index.requireLasting() // before the work …
  await index.rebuild()
  await index.requireLasting() // … and in case that somebody was quicker
  const packs = [...index.packs()]
  return {
    packs: packs.length,
    objects: packs.reduce((sum, { objects }) => sum + objects, 0),
    unreadable: index.unreadablePacks.map(({ id }) => id),
  }
}
