import { isCode } from '../base/errors.ts'
import type { ObjectId, PackId } from '../base/ids.ts'
import type { PackClass } from '../format/pack.ts'
import { copyRecords, storePack } from './copy-records.ts'
import type { Lock } from './lock.ts'
import { readPackTrailer } from './pack-trailer.ts'
import { PackWriter } from './pack-writer.ts'
import { markReachable, type Reference } from './reachability.ts'
import type { Repository } from './repository.ts'
import { PACK_BYTES } from './write-session.ts'

export interface Secured {
  /** All of it is there and stays. */
  readonly isWhole: boolean
  /** Objects that are not, or not whole, as far as that is known. */
  readonly lost: readonly Pick<Reference, 'kind' | 'id'>[]
}

/**
 * Makes sure that what the trees reach is there and will stay: what is in condemned packs alone is copied into new ones, with
 * a lock, which must be held until the trees are published. Reads all their metadata.
 */
export async function secureTrees(
  repository: Repository,
  trees: readonly ObjectId[],
  { lock, signal }: { readonly lock?: Lock; readonly signal?: AbortSignal } = {},
): Promise<Secured> {
  const index = await repository.index()
  const wanted = new Map<PackId, Set<number>>()
  const lost = new Map<string, Pick<Reference, 'kind' | 'id'>>()
  await markReachable(repository, trees, {
    onMark: (_, { pack, ordinal }) => {
      if (!index.isCondemned(pack)) return
      const ordinals = wanted.get(pack)
      if (ordinals) ordinals.add(ordinal)
      else wanted.set(pack, new Set([ordinal]))
    },
    onProblem: ({ reference: { kind, id } }) => lost.set(kind + id, { kind, id }),
    signal,
  })
  if (lost.size > 0 || !lock) return { isWhole: lost.size === 0, lost: [...lost.values()] }
  try {
    return { isWhole: await copyObjects(repository, wanted, lock), lost: [] }
  } catch (error) {
    if (!isCode(error, 'NOT_FOUND', 'CORRUPT', 'BAD_FORMAT', 'TRUNCATED')) throw error
    return { isWhole: false, lost: [] } // deleted meanwhile, or damaged
  }
}

/** Copies the objects with these ordinals into new packs, and answers whether it could. */
async function copyObjects(
  repository: Repository,
  wanted: ReadonlyMap<PackId, ReadonlySet<number>>,
  lock: Lock,
): Promise<boolean> {
  const index = await repository.index()
  const open = new Map<PackClass, PackWriter>()
  const store = async (packClass: PackClass, writer: PackWriter): Promise<void> => {
    open.delete(packClass)
    lock.holdsUnpublished = true
    await storePack(repository, writer, lock)
  }
  for (const [id, ordinals] of wanted) {
    const pack = index.pack(id)
    if (!pack) return false // gone since
    const { packClass, firstOrdinal } = pack
    const entries = await readPackTrailer(repository.backend, packClass, id)
    const writer = open.get(packClass) ?? new PackWriter(packClass)
    open.set(packClass, writer)
    const needed = entries.filter((_, i) => ordinals.has(firstOrdinal + i))
    await copyRecords(repository, pack, needed, writer)
    if (writer.size >= PACK_BYTES[packClass]) await store(packClass, writer)
  }
  for (const [packClass, writer] of [...open]) await store(packClass, writer)
  return true
}
