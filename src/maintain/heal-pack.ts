import { type Diagnosis, diagnose, heal } from '../format/heal.ts'
import { MAX_PACK_BYTES, type PackName } from '../format/pack.ts'
import { isDamage, isUnreadable } from '../repository/damage.ts'
import type { Repository } from '../repository/repository.ts'
import { requireSoundPack } from '../worker/sound-pack.ts'
import { createTools } from '../worker/tools.ts'
import { loadParity } from './parity-files.ts'
import { readDamaged } from './read-damaged.ts'

export interface HealedPack {
  /** The whole pack, as it was written. */
  readonly bytes: Uint8Array
  readonly objects: number
  /** Blocks of it that were damaged. */
  readonly blocks: number
  /** What parity it has. */
  readonly percent: number
  readonly isParitySound: boolean
}

/** What parity says of a damaged pack; undefined if there is none that can be used. Memory: the pack and its parity. */
export async function diagnosePack(repository: Repository, pack: PackName): Promise<Diagnosis | undefined> {
  const parity = await loadParity(repository, pack)
  return parity && diagnose(await readPack(repository, pack), parity)
}

/**
 * Computes a damaged pack as it was, from its parity. Every block has its checksum, header and trailer the hash that is the pack's
 * name, every object its id; else, or where there is no parity or no damage, undefined. Memory: twice the pack, and its parity.
 */
export async function healPack(repository: Repository, pack: PackName): Promise<HealedPack | undefined> {
  const parity = await loadParity(repository, pack)
  if (!parity) return undefined
  const damaged = await readPack(repository, pack)
  const blocks = diagnose(damaged, parity).damaged.length
  const bytes = heal(damaged, parity)
  if (!bytes || Buffer.compare(bytes, damaged) === 0) return undefined
  const objects = soundObjects(bytes, pack)
  const { header, isSound } = parity
  return objects === undefined ? undefined : { bytes, objects, blocks, percent: header.percent, isParitySound: isSound }
}

async function readPack(repository: Repository, { packClass, id }: PackName): Promise<Uint8Array> {
  return await readDamaged(repository, packClass, id, MAX_PACK_BYTES).catch((error: unknown) => {
    if (isUnreadable(error)) return new Uint8Array(0) // nothing is left of it
    throw error
  })
}

/** How many there are; undefined unless all are sound. */
function soundObjects(bytes: Uint8Array, pack: PackName): number | undefined {
  try {
    return requireSoundPack(bytes, pack, createTools())
  } catch (error) {
    if (isDamage(error)) return undefined
    throw error
  }
}
