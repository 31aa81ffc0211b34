import type { Backend } from '../backend/backend.ts'
import { mapOrdered } from '../base/async.ts'
import { ChainkeepError } from '../base/errors.ts'
import { ID_BYTES, type PackId } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import type { ObjectKind } from '../format/object.ts'
import { type PackEntry, packClassOf } from '../format/pack.ts'
import { catchUp, type UnreadablePack } from './index-catch-up.ts'
import { whyNotWritable } from './index-copy.ts'
import type { PackRecord } from './index-layout.ts'
import { isDamage, rootMessage } from './index-level.ts'
import { openEmpty, openIndex } from './index-open.ts'
import { IndexStore, type Location } from './index-store.ts'
import type { IndexedPack } from './pack-table.ts'
import { readPackTrailer } from './pack-trailer.ts'

export type { UnreadablePack } from './index-catch-up.ts'
export type { Location } from './index-store.ts'
export type { IndexedPack } from './pack-table.ts'

export interface OpenIndexOptions {
  readonly backend: Backend
  /** Folder for LevelDB; made if it is missing. */
  readonly directory: string
  /** Told in one sentence why the index has to be built from the packs, should it have to be. */
  readonly notice?: (text: string) => void
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

/**
 * Which pack holds each object. Derived from the packs in the backend alone, and compared with them when opened: deleted,
 * damaged or out of date, it is put right from the packs' trailers, damage also while it is in use, once.
 */
export class ObjectIndex implements AsyncDisposable {
  readonly #options: OpenIndexOptions
  readonly #dropped = new Set<PackId>()
  #condemned: ReadonlySet<PackId> = new Set()
  #store: IndexStore
  #unreadable: readonly UnreadablePack[] = []
  /** While another store takes the place of this one; stays, rejected, if that fails. */
  #replacing: Promise<void> | undefined
  #wasDamaged = false
  #closing: Promise<void> | undefined

  private constructor(options: OpenIndexOptions, store: IndexStore) {
    this.#options = options
    this.#store = store
  }

  /** Held by another process, a private copy is opened, and deleted when closed. Rejects errors of the backend, INTERRUPTED. */
  static async open(options: OpenIndexOptions): Promise<ObjectIndex> {
    const index = new ObjectIndex(options, new IndexStore(await openIndex(options.directory)))
    try {
      await index.refresh()
      return index
    } catch (error) {
      await index.close()
      throw error
    }
  }

  /**
   * Where the objects of one kind are. `ids` is packed, n × 32 bytes, and borrowed until settled. Answer i is undefined
   * when no pack known now holds the object; it is in a condemned pack only if there is no other copy. One query, in which an id costs 8-30 µs with 5 million objects: ask for many at once.
   */
  async locate(kind: ObjectKind, ids: Uint8Array): Promise<(Location | undefined)[]> {
    if (ids.length % ID_BYTES !== 0) throw new RangeError(`${ids.length} bytes are not a whole number of ids`)
    return await this.#use((store) => store.locate(kind, ids, this.#condemned))
  }

  /** Everywhere that one object is, beginning with what `locate` answers: for when that is damaged (FORMAT.md §4). */
  async locateCopies(kind: ObjectKind, id: Uint8Array): Promise<Location[]> {
    return await this.#use((store) => store.locateCopies(kind, id, this.#condemned))
  }

  /**
   * Which packs held objects that no pack holds any more: those whose files have vanished without `dropPacks`. Answer i is
   * undefined if nothing tells; an index that is built again has forgotten.
   */
  async locateGone(kind: ObjectKind, ids: readonly Uint8Array[]): Promise<(PackRecord | undefined)[]> {
    return await this.#use((store) => store.locateGone(kind, ids))
  }

  /** Call it only once the pack is durable. All or nothing. `packBytes` is the length of the pack. */
  async addPack(id: PackId, packBytes: number, entries: readonly PackEntry[]): Promise<void> {
    const first = entries[0]
    if (!first) throw new RangeError('a pack without objects')
    await this.#use((store) => store.add(id, packClassOf(first.kind), packBytes, entries))
  }

  /** Forgets packs that are about to be deleted (FORMAT.md §10: the index first, then the file), and their entries. */
  async dropPacks(ids: Iterable<PackId>): Promise<void> {
    const withEntries = mapOrdered(ids, TRAILERS_AT_ONCE, async (id) => ({ id, entries: await this.#entriesOf(id) }))
    for await (const { id, entries } of withEntries) {
      this.#dropped.add(id)
      await this.#use((store) => store.drop(id, entries))
    }
  }

  /** Says which packs are to be deleted, and so are the last to be relied on. */
  condemn(packs: ReadonlySet<PackId>): void {
    this.#condemned = packs
  }

  isCondemned(pack: PackId): boolean {
    return this.#condemned.has(pack)
  }

  /** Every pack known, in no particular order. */
  packs(): Iterable<IndexedPack> {
    return this.#store.packs.values()
  }

  pack(id: PackId): IndexedPack | undefined {
    return this.#store.packs.get(id)
  }

  /** Above the ordinal of every object. Grows with every pack added. */
  get ordinalLimit(): number {
    return this.#store.packs.ordinalLimit
  }

  /** Packs whose trailer could not be read when last compared: none of their objects is known. */
  get unreadablePacks(): readonly UnreadablePack[] {
    return this.#unreadable
  }

  /** Compares with the backend's packs again: reads in those that others have added, forgets those that are gone. */
  async refresh(): Promise<void> {
    await this.#use(async (store) => {
      this.#unreadable = await this.#catchUp(store)
    })
  }

  /** Builds the index again, from the trailers alone. Objects keep their ordinals. Look-ups wait until it is done. */
  async rebuild(): Promise<void> {
    await this.#replacing
    await this.#replace('')
  }

  /** Rejects DENIED, NO_SPACE, IO or LOCKED if this is a private index, since nothing can be written to that of the repository. */
  async requireLasting(): Promise<void> {
    if (!this.#store.isPrivate) return
    const { directory } = this.#options
    const reason = `the index in ${directory} is in use by another process; try again when it has finished`
    throw (await whyNotWritable(directory)) ?? new ChainkeepError('LOCKED', reason, { directory })
  }

  async close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#replacing?.catch(() => {})
      await this.#store.close()
    })()
    await this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Does `work` with the store, again with the one that takes its place should it be damaged. */
  async #use<T>(work: (store: IndexStore) => Promise<T>): Promise<T> {
    await this.#replacing
    const store = this.#store
    try {
      return await work(store)
    } catch (error) {
      // Whatever failed while the store was being closed under it is simply done again.
      if (!this.#replacing && store === this.#store) await this.#replaceDamaged(error)
      await this.#replacing
    }
    return await work(this.#store)
  }

  async #replaceDamaged(error: unknown): Promise<void> {
    if (this.#closing || !isDamage(error)) throw error
    if (this.#wasDamaged) throw new ChainkeepError('IO', `the index is damaged again: ${rootMessage(error)}`, {}, error)
    this.#wasDamaged = true
    await this.#replace(`the index in ${this.#options.directory} is damaged (${rootMessage(error)})`)
  }

  #replace(why: string): Promise<void> {
    this.#replacing ??= this.#makeAnother(why).then(() => {
      this.#replacing = undefined
    })
    return this.#replacing
  }

  async #makeAnother(why: string): Promise<void> {
    const { directory } = this.#options
    const unwritable = await whyNotWritable(directory)
    if (unwritable?.code === 'NO_SPACE') throw unwritable // then nothing is damaged, and building it again would fail, too
    await this.#store.close()
    this.#store = new IndexStore(await openEmpty(directory, why), this.#store.packs)
    this.#unreadable = await this.#catchUp(this.#store)
  }

  #catchUp(store: IndexStore): Promise<UnreadablePack[]> {
    const { backend, notice = () => {}, progress = noProgress, signal } = this.#options
    return catchUp(store, { backend, except: this.#dropped, notice, progress, signal })
  }

  /** None if the pack cannot be read any more. */
  async #entriesOf(id: PackId): Promise<PackEntry[]> {
    const pack = this.pack(id)
    if (!pack) return []
    try {
      return await readPackTrailer(this.#options.backend, pack.packClass, id)
    } catch (error) {
      if (error instanceof ChainkeepError) return []
      throw error
    }
  }
}

const TRAILERS_AT_ONCE = 4
