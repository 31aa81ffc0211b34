import { Semaphore } from '../base/async.ts'
import { ID_BYTES, type PackId } from '../base/ids.ts'
import type { ObjectKind } from '../format/object.ts'
import type { PackClass, PackEntry } from '../format/pack.ts'
import {
  decodeLocations,
  encodeLocations,
  encodeNextNumber,
  encodePackRecord,
  goneKey,
  indexDamage,
  NEXT_NUMBER_KEY,
  objectKeys,
  type PackRecord,
  packKey,
  type StoredLocation,
} from './index-layout.ts'
import { emptyLog } from './index-level.ts'
import type { OpenedIndex } from './index-open.ts'
import { type IndexedPack, PackTable } from './pack-table.ts'

/** Where an object is. */
export interface Location {
  readonly pack: PackId
  /** Of the record's header in the pack. */
  readonly offset: number
  readonly storedLength: number
  readonly plainLength: number
  readonly codec: number
  /** Below the index's `ordinalLimit`, and shared with no other stored record while the index is open: for bitmaps. */
  readonly ordinal: number
}

/**
 * After so many entries the log is made a table on closing: opened as a log, that would be done then, and waited for by
 * whoever comes next, mostly an hourly backup.
 */
const MANY_ENTRIES = 2000

/** An open database and the packs it knows. Knows nothing of the backend, and gives up at the first sign of damage. */
export class IndexStore {
  /** Why it began empty, if it did. */
  readonly whyEmpty: string | undefined
  /** Nobody else will ever see it. */
  readonly isPrivate: boolean
  readonly packs: PackTable
  readonly #opened: OpenedIndex
  /** By number: packs whose files have vanished. */
  readonly #gone = new Map<number, PackRecord>()
  readonly #writing = new Semaphore(1) // a batch is made from what the one before has left
  #nextNumber: number
  #entriesAdded = 0

  /** Takes ownership of `opened`. `previous` is the table of the store that this one takes the place of. */
  constructor(opened: OpenedIndex, previous?: PackTable) {
    this.#opened = opened
    this.whyEmpty = opened.whyEmpty
    this.isPrivate = opened.isPrivate
    this.packs = new PackTable(previous)
    for (const record of opened.packs) this.packs.add(record)
    for (const record of opened.gone) this.#gone.set(record.number, record)
    this.#nextNumber = opened.nextNumber
  }

  /** See ObjectIndex.locate. Asked for in the order of keys, neighbours share a table and a block: twice as fast. */
  async locate(kind: ObjectKind, ids: Uint8Array, condemned: ReadonlySet<PackId>): Promise<(Location | undefined)[]> {
    const count = ids.length / ID_BYTES
    const keys = objectKeys(
      count,
      () => kind,
      (i) => ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES),
    )
    const order = sortedOrder(keys)
    const values = await this.#opened.level.getMany(order.map((i) => keys[i]!))
    const found: (Location | undefined)[] = new Array(count)
    for (const [at, i] of order.entries()) found[i] = this.#locationOf(keys[i]!, values[at], condemned)
    return found
  }

  /** See ObjectIndex.locateCopies. */
  async locateCopies(kind: ObjectKind, id: Uint8Array, condemned: ReadonlySet<PackId>): Promise<Location[]> {
    const [key] = objectKeys(
      1,
      () => kind,
      () => id,
    )
    const value = await this.#opened.level.get(key!)
    return this.#standingFirst(this.#liveLocations(key!, value), condemned).map((location) => this.#describe(location))
  }

  /** See ObjectIndex.locateGone. */
  async locateGone(kind: ObjectKind, ids: readonly Uint8Array[]): Promise<(PackRecord | undefined)[]> {
    const keys = objectKeys(
      ids.length,
      () => kind,
      (i) => ids[i]!,
    )
    const values = await this.#opened.level.getMany(keys)
    return values.map((value, i) => {
      const locations = value ? decodeLocations(keys[i]!, value) : []
      return locations.map(({ packNumber }) => this.#gone.get(packNumber)).findLast((record) => record !== undefined)
    })
  }

  /** Writes the pack's record and all entries in one batch. Does nothing if the pack is known. */
  async add(id: PackId, packClass: PackClass, bytes: number, entries: readonly PackEntry[]): Promise<void> {
    await this.#writing.run(async () => {
      if (this.packs.get(id)) return
      const record = { number: this.#nextNumber, id, packClass, bytes, objects: entries.length }
      const { keys, order, values } = await this.#read(entries)
      const batch = this.#opened.level.batch()
      batch.put(NEXT_NUMBER_KEY, encodeNextNumber(record.number + 1))
      batch.put(packKey(record.number), encodePackRecord(packKey(record.number), record))
      let locations: StoredLocation[] = []
      for (const [at, i] of order.entries()) {
        const key = keys[i]!
        const repeated = at > 0 && key.equals(keys[order[at - 1]!]!)
        if (!repeated) locations = this.#liveLocations(key, values[at])
        locations.push(locationIn(record.number, i, entries[i]!))
        batch.put(key, encodeLocations(key, locations))
      }
      await batch.write()
      this.#entriesAdded += entries.length
      this.#nextNumber++
      this.packs.add(record)
    })
  }

  /** Forgets a pack whose file has vanished, at once for every look-up but `locateGone`. */
  async lose(id: PackId): Promise<void> {
    await this.#writing.run(async () => {
      const pack = this.packs.get(id)
      if (!pack) return
      this.packs.delete(pack)
      this.#gone.set(pack.number, pack)
      const [was, is] = [packKey(pack.number), goneKey(pack.number)]
      await this.#opened.level.batch().del(was).put(is, encodePackRecord(is, pack)).write()
    })
  }

  /**
   * Forgets a pack, at once for every look-up. `entries` are what its trailer lists: without them, locations in it stay
   * in the database, and mean nothing.
   */
  async drop(id: PackId, entries: readonly PackEntry[]): Promise<void> {
    await this.#writing.run(async () => {
      const pack = this.packs.get(id)
      if (!pack) return
      this.packs.delete(pack)
      const { keys, order, values } = await this.#read(entries)
      const batch = this.#opened.level.batch().del(packKey(pack.number))
      for (const [at, i] of order.entries()) {
        const key = keys[i]!
        const others = this.#liveLocations(key, values[at])
        if (others.length > 0) batch.put(key, encodeLocations(key, others))
        else batch.del(key)
      }
      await batch.write()
    })
  }

  async close(): Promise<void> {
    if (this.#entriesAdded >= MANY_ENTRIES) await emptyLog(this.#opened.level).catch(() => {}) // best effort
    await this.#opened.close()
  }

  /** The keys of a pack's entries, the order that sorts them, and what is stored under them, in that order. */
  async #read(entries: readonly PackEntry[]): Promise<{
    keys: Buffer[]
    order: number[]
    values: (Buffer | undefined)[]
  }> {
    const keys = objectKeys(
      entries.length,
      (i) => entries[i]!.kind,
      (i) => entries[i]!.id,
    )
    const order = sortedOrder(keys)
    return { keys, order, values: await this.#opened.level.getMany(order.map((i) => keys[i]!)) }
  }

  #liveLocations(key: Buffer, value: Buffer | undefined): StoredLocation[] {
    if (!value) return []
    return decodeLocations(key, value).filter(({ packNumber }) => this.packs.at(packNumber))
  }

  #locationOf(key: Buffer, value: Buffer | undefined, condemned: ReadonlySet<PackId>): Location | undefined {
    const [location] = this.#standingFirst(this.#liveLocations(key, value), condemned)
    return location && this.#describe(location)
  }

  /** Those in condemned packs come last. */
  #standingFirst(locations: StoredLocation[], condemned: ReadonlySet<PackId>): StoredLocation[] {
    if (condemned.size === 0 || locations.length < 2) return locations
    const isCondemned = ({ packNumber }: StoredLocation): boolean => condemned.has(this.packs.at(packNumber)!.id)
    return locations.sort((a, b) => Number(isCondemned(a)) - Number(isCondemned(b)))
  }

  #describe(location: StoredLocation): Location {
    const pack: IndexedPack = this.packs.at(location.packNumber)!
    if (location.entryNumber >= pack.objects) throw indexDamage(`an entry that pack ${pack.id} does not have`)
    const { offset, storedLength, plainLength, codec, entryNumber } = location
    return { pack: pack.id, offset, storedLength, plainLength, codec, ordinal: pack.firstOrdinal + entryNumber }
  }
}

function locationIn(packNumber: number, entryNumber: number, entry: PackEntry): StoredLocation {
  const { offset, storedLength, plainLength, codec } = entry
  return { packNumber, entryNumber, offset, storedLength, plainLength, codec }
}

/** By their first bytes, as numbers, which hardly any two keys share: 1024 keys take 0.25 ms, by `compare` alone 0.65. */
function sortedOrder(keys: readonly Buffer[]): number[] {
  const prefixes = Float64Array.from(keys, (key) => key.readUIntBE(0, 6))
  return Array.from(keys.keys()).sort((a, b) => prefixes[a]! - prefixes[b]! || Buffer.compare(keys[a]!, keys[b]!))
}
