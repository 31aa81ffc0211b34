import type { PackId } from '../base/ids.ts'
import type { PackRecord } from './index-layout.ts'

/** A pack that the index knows. */
export interface IndexedPack extends PackRecord {
  /** Its objects have the ordinals from here on, in the order of its trailer. */
  readonly firstOrdinal: number
}

/** The packs that the index knows, in memory. */
export class PackTable {
  readonly #byId = new Map<PackId, IndexedPack>()
  readonly #byNumber = new Map<number, IndexedPack>()
  readonly #earlier: ReadonlyMap<PackId, number>
  #ordinalLimit: number

  /** A table that takes the place of another gives its packs the ordinals they had: bitmaps over them stay right. */
  constructor(previous?: PackTable) {
    this.#earlier = previous ? previous.#ordinals() : new Map()
    this.#ordinalLimit = previous?.ordinalLimit ?? 0
  }

  /** Above every ordinal given so far. */
  get ordinalLimit(): number {
    return this.#ordinalLimit
  }

  values(): Iterable<IndexedPack> {
    return this.#byId.values()
  }

  get(id: PackId): IndexedPack | undefined {
    return this.#byId.get(id)
  }

  at(number: number): IndexedPack | undefined {
    return this.#byNumber.get(number)
  }

  add(record: PackRecord): void {
    const earlier = this.#earlier.get(record.id)
    const pack = { ...record, firstOrdinal: earlier ?? this.#ordinalLimit }
    if (earlier === undefined) this.#ordinalLimit += record.objects
    this.#byId.set(pack.id, pack)
    this.#byNumber.set(pack.number, pack)
  }

  delete(pack: IndexedPack): void {
    this.#byId.delete(pack.id)
    this.#byNumber.delete(pack.number)
  }

  #ordinals(): Map<PackId, number> {
    const ordinals = new Map(this.#earlier)
    for (const { id, firstOrdinal } of this.#byId.values()) ordinals.set(id, firstOrdinal)
    return ordinals
  }
}
