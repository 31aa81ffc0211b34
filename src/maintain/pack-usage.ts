import type { PackId } from '../base/ids.ts'
import { RECORD_HEADER_BYTES } from '../format/object.ts'
import { PACK_ENTRY_BYTES, PACK_FOOTER_BYTES, PACK_HEADER_BYTES, type PackClass } from '../format/pack.ts'
import type { IndexedPack, Location } from '../repository/object-index.ts'

/** How much of a pack is used. */
export interface PackUsage {
  readonly id: PackId
  readonly packClass: PackClass
  /** Length of the file. */
  readonly bytes: number
  readonly objects: number
  readonly usedObjects: number
  /** What the used objects take: their records and trailer entries. */
  readonly usedBytes: number
}

/** What a pack takes besides its objects. */
export const PACK_OVERHEAD_BYTES: number = PACK_HEADER_BYTES + PACK_FOOTER_BYTES

/** What a pack would shrink to if only the used objects were left. */
export const neededBytes = ({ usedObjects, usedBytes }: PackUsage): number =>
  usedObjects === 0 ? 0 : usedBytes + PACK_OVERHEAD_BYTES

/** Adds up what is used of each pack. Memory: about 100 bytes for each pack. */
export class UsageCounter {
  readonly #used = new Map<PackId, { objects: number; bytes: number }>()

  /** Counts one used object. */
  add(location: Location): void {
    let used = this.#used.get(location.pack)
    if (!used) this.#used.set(location.pack, (used = { objects: 0, bytes: 0 }))
    used.objects++
    used.bytes += RECORD_HEADER_BYTES + location.storedLength + PACK_ENTRY_BYTES
  }

  isUsed(pack: PackId): boolean {
    return this.#used.has(pack)
  }

  usageOf({ id, packClass, bytes, objects }: IndexedPack): PackUsage {
    const used = this.#used.get(id)
    return { id, packClass, bytes, objects, usedObjects: used?.objects ?? 0, usedBytes: used?.bytes ?? 0 }
  }
}
