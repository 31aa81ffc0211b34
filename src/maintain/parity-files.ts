import { ID_BYTES, type PackId, parsePackId } from '../base/ids.ts'
import type { PackName } from '../format/pack.ts'
import {
  decodeParity,
  decodeParityHeader,
  MAX_PARITY_BYTES,
  PARITY_HEADER_BYTES,
  type Parity,
  parityBytes,
  parityShape,
} from '../format/parity.ts'
import { isUnreadable } from '../repository/damage.ts'
import type { Repository } from '../repository/repository.ts'
import { readDamaged } from './read-damaged.ts'

/** Of which packs there is parity. */
export async function listParity({ backend }: Repository): Promise<Set<PackId>> {
  const ids = new Set<PackId>()
  for await (const name of backend.list('parity')) if (name.length === 2 * ID_BYTES) ids.add(parsePackId(name))
  return ids
}

/** All that can be read of a pack's parity; undefined if there is none, or none that could be used. */
export async function loadParity(repository: Repository, pack: PackName): Promise<Parity | undefined> {
  try {
    return decodeParity(await readDamaged(repository, 'parity', pack.id, MAX_PARITY_BYTES), pack, `parity/${pack.id}`)
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return undefined
  }
}

/**
 * The percents that a pack's parity has, by its first header and its length alone; 0 if these are damaged, or of another pack.
 * Rejects NOT_FOUND.
 */
export async function parityPercent({ backend }: Repository, { packClass, id }: PackName): Promise<number> {
  const { size } = await backend.stat('parity', id)
  try {
    const head = await backend.get('parity', id, { offset: 0, length: PARITY_HEADER_BYTES })
    const header = decodeParityHeader(head, `parity/${id}`)
    const isRight = header.packClass === packClass && header.id === id && parityBytes(parityShape(header)) === size
    return isRight ? header.percent : 0
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return 0
  }
}

/** Removes parity whose pack is gone: a pack is always there before its parity, and removed before it. Returns how many files. */
export async function removeOrphanParity(repository: Repository): Promise<number> {
  const { backend } = repository
  const orphans = await listParity(repository)
  if (orphans.size === 0) return 0
  for (const packClass of ['data', 'meta'] as const)
    for await (const name of backend.list(packClass))
      if (name.length === 2 * ID_BYTES) orphans.delete(parsePackId(name))
  for (const id of orphans) await backend.remove('parity', id)
  return orphans.size
}
