import { idBytes, type PackId } from '../base/ids.ts'
import { sha3_256 } from '../native/hash.ts'

/** Which packs to read: all; every `of`th, the `part`th of 1 to `of`; or so many at random that their bytes are at least that. */
export type ReadData =
  | 'all'
  | { readonly part: number; readonly of: number }
  | { readonly share: number; readonly seed: string }
  | { readonly bytes: number; readonly seed: string }

interface SizedPack {
  readonly id: PackId
  readonly bytes: number
}

/**
 * Chooses the packs. Parts depend on nothing but a pack's id: all parts together are all packs, also when others are added
 * between the runs. A choice at random depends on the seed. Throws RangeError.
 */
export function choosePacks<Pack extends SizedPack>(packs: readonly Pack[], readData: ReadData): Pack[] {
  if (readData === 'all') return [...packs]
  if ('of' in readData) {
    const { part, of } = readData
    if (!Number.isInteger(of) || !Number.isInteger(part) || part < 1 || part > of)
      throw new RangeError(`no part ${part} of ${of}`)
    return packs.filter(({ id }) => Number.parseInt(id.slice(0, 8), 16) % of === part - 1)
  }
  const total = packs.reduce((sum, { bytes }) => sum + bytes, 0)
  const wanted = 'share' in readData ? total * readData.share : readData.bytes
  let chosen = 0
  return shuffle(packs, readData.seed).filter(({ bytes }) => {
    if (chosen >= wanted) return false
    chosen += bytes
    return true
  })
}

function shuffle<Pack extends SizedPack>(packs: readonly Pack[], seed: string): Pack[] {
  const keyed = packs.map((pack) => ({ pack, key: sha3_256(Buffer.from(seed), idBytes(pack.id)) }))
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ pack }) => pack)
}
