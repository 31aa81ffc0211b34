import type { Backend, UnnamedFile } from '../backend/backend.ts'
import { Semaphore } from '../base/async.ts'
import { toByteString } from '../base/bytes.ts'
import { throwIfInterrupted } from '../base/errors.ts'
import { ID_BYTES, type ObjectId, objectIdAt, type PackId } from '../base/ids.ts'
import {
  hashObject,
  type MetadataKind,
  type ObjectKind,
  RECORD_HEADER_BYTES,
  recordLength,
  sealObject,
} from '../format/object.ts'
import { type PackClass, type PackName, packClassOf } from '../format/pack.ts'
import { type Compressor, createCompressor } from '../native/compress.ts'
import type { Lock } from './lock.ts'
import type { Location, ObjectIndex } from './object-index.ts'
import { type FinishedPack, PackWriter, type SealedObjects } from './pack-writer.ts'

/** Packs are closed once they are this long. Metadata packs are small, since readers fetch single trees and lists out of them. */
export const PACK_BYTES: Readonly<Record<PackClass, number>> = { data: 32 * 2 ** 20, meta: 8 * 2 ** 20 }
/** Packs on their way to the disk at once: one is written while the other is synced. */
const PACKS_IN_FLIGHT = 2
/** Metadata is read often and is a thousandth of the data: zstd 3 costs nothing that could be measured. */
const METADATA_EFFORT = 3

/** Some 100 MB of ids, or 64 GB of new data. */
const MAX_DRY_RUN_PENDING = 2 ** 20

export interface WriteOptions {
  /** Held until what is stored is published. */
  readonly lock?: Lock
  /** Count what would be stored, and store nothing. */
  readonly dryRun?: boolean
  /** Once aborted, everything rejects INTERRUPTED, and no pack is begun to be written. */
  readonly signal?: AbortSignal
}

export interface WriteStats {
  readonly objectsAdded: number
  readonly chunksAdded: number
  /** Before and after compression, record headers included in the latter. */
  readonly bytesAdded: number
  readonly bytesStored: number
}

/**
 * Puts new objects into packs. Nothing that is stored is referred to by a snapshot before `flush` has resolved; a session
 * that is abandoned leaves packs that the next run finds and uses, or prune frees.
 *
 * Memory: what `add` was given and has not written yet, and some 300 bytes for each object of the packs on their way.
 */
export class WriteSession implements AsyncDisposable {
  readonly #backend: Backend
  readonly #openIndex: () => Promise<ObjectIndex>
  readonly #dryRun: boolean
  readonly #lock: Lock | undefined
  readonly #signal: AbortSignal | undefined
  readonly #protect: (pack: PackName) => Promise<unknown>
  readonly #open = new Map<PackClass, OpenPack>()
  /** Objects claimed by somebody and not in the index yet. */
  readonly #pending = new Set<string>()
  /** Metadata that was stored since earlier copies are mistrusted. */
  #restored: Set<string> | undefined
  readonly #slots = new Semaphore(PACKS_IN_FLIGHT)
  readonly #inFlight = new Set<Promise<void>>()
  readonly #packs = new Set<PackId>()
  #failure: { error: unknown } | undefined
  #compressor: Compressor | undefined
  #stats = { objectsAdded: 0, chunksAdded: 0, bytesAdded: 0, bytesStored: 0 }

  /**
   * The index is opened at the first claim: a run that finds nothing changed never opens it. `protect` is given every pack
   * once it is durable, and waited for.
   */
  constructor(
    backend: Backend,
    openIndex: () => Promise<ObjectIndex>,
    { dryRun = false, lock, signal }: WriteOptions = {},
    protect: (pack: PackName) => Promise<unknown> = async () => {},
  ) {
    this.#protect = protect
    this.#backend = backend
    this.#openIndex = openIndex
    this.#dryRun = dryRun
    this.#lock = lock
    this.#signal = signal
  }

  /** The packs that hold what was asked for: those that were there, and those that were written. */
  get packs(): ReadonlySet<PackId> {
    return this.#packs
  }

  get stats(): WriteStats {
    return { ...this.#stats }
  }

  /** From here on metadata counts as not stored unless this session stores it: some is damaged, and the index cannot tell. */
  mistrustMetadata(): void {
    this.#restored ??= new Set()
  }

  /**
   * Asks which of `ids` (packed, all of `kind`) are new: in no pack, or in condemned ones alone. Answer i is 1 if object i is,
   * and then the caller must `add` it; nobody else will be told to.
   */
  async claim(kind: ObjectKind, ids: Uint8Array): Promise<Uint8Array> {
    this.#throwFailure()
    const isNew = new Uint8Array(ids.length / ID_BYTES)
    // Pending before the index is asked, so that an object whose pack is entered meanwhile is in one of the two.
    const keys = Array.from(isNew, (_, i) => pendingKey(kind, ids, i))
    for (const [i, key] of keys.entries()) {
      if (this.#pending.has(key)) continue
      this.#pending.add(key)
      isNew[i] = 1
    }
    const locations = await this.#locate(kind, ids)
    for (const [i, key] of keys.entries()) {
      if (isNew[i] === 0 || !locations[i]) continue
      this.#pending.delete(key)
      isNew[i] = 0
    }
    return isNew
  }

  /** How long each of `ids` (packed, all of `kind`) is, unless it is not stored: a snapshot may refer to those that are. */
  async storedLengths(kind: ObjectKind, ids: Uint8Array): Promise<(number | undefined)[]> {
    this.#throwFailure()
    return (await this.#locate(kind, ids)).map((location) => location?.plainLength)
  }

  /** Stores claimed objects. Borrows `records` until it has resolved, which is when there is room for more. */
  async add(kind: ObjectKind, objects: SealedObjects): Promise<void> {
    this.#throwFailure()
    const packClass = packClassOf(kind)
    const pack = this.#open.get(packClass) ?? this.#begin(packClass)
    pack.writer.add(objects)
    const appended = pack.append(pack.writer.take())
    for (const header of objects.headers) this.#stats.bytesAdded += header.plainLength
    this.#stats.objectsAdded += objects.headers.length
    if (kind === 'chunk') this.#stats.chunksAdded += objects.headers.length
    this.#stats.bytesStored += objects.records.length
    const closed = pack.writer.size >= PACK_BYTES[packClass] ? this.#close(packClass) : undefined
    try {
      await appended
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
    await closed
  }

  /** Stores a metadata object unless it is there already. Borrows `plain`. */
  async saveObject(kind: MetadataKind, plain: Uint8Array): Promise<ObjectId> {
    const id = hashObject(kind, plain)
    const [isNew] = await this.claim(kind, id)
    if (isNew) {
      this.#compressor ??= createCompressor(METADATA_EFFORT)
      const target = Buffer.alloc(RECORD_HEADER_BYTES + plain.length)
      const header = sealObject(kind, id, plain, this.#compressor, target, 0)
      const records = Uint8Array.from(target.subarray(0, recordLength(header))) // does not keep the unused rest alive
      await this.add(kind, { ids: id, headers: [header], records })
    }
    return objectIdAt(id)
  }

  /** Resolves once everything added is durable and in the index: what a snapshot may refer to. */
  async flush(): Promise<void> {
    for (const packClass of [...this.#open.keys()]) await this.#close(packClass)
    await this.#settle()
    this.#throwFailure()
  }

  /** Waits for the packs on their way, so that none arrives when the lock is gone, and gives up the open ones. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#settle()
    await Promise.all(Array.from(this.#open.values(), (pack) => pack.discard()))
  }

  /** Those that wait for a slot come after those that have one. */
  async #settle(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight)
  }

  /** If it fails, so does the session: others may have been told already that these objects are taken care of. */
  async #locate(kind: ObjectKind, ids: Uint8Array): Promise<(Location | undefined)[]> {
    try {
      const index = await this.#openIndex()
      const locations = await index.locate(kind, ids)
      return locations.map((location, i) => {
        if (!location || index.isCondemned(location.pack)) return undefined
        if (this.#restored && kind !== 'chunk' && !this.#restored.has(pendingKey(kind, ids, i))) return undefined
        this.#packs.add(location.pack)
        return location
      })
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
  }

  async #close(packClass: PackClass): Promise<void> {
    const pack = this.#open.get(packClass)
    if (!pack) return
    this.#open.delete(packClass)
    if (this.#dryRun) return this.#forgetSome()
    const finished = pack.writer.finish()
    await this.#slots.acquire()
    const task: Promise<void> = this.#store(pack, finished)
      .catch(async (error: unknown) => {
        const why = this.#lock ? await this.#lock.whyFailed(error) : error
        this.#failure ??= { error: why }
      })
      .finally(() => {
        this.#slots.release()
        this.#inFlight.delete(task)
      })
    this.#inFlight.add(task)
  }

  async #store(open: OpenPack, pack: FinishedPack): Promise<void> {
    try {
      this.#throwFailure()
      this.#packs.add(pack.id)
      if (this.#lock) this.#lock.holdsUnpublished = true
      await open.publish(pack) // FORMAT.md §10: packs, then index, then snapshot
      await this.#protect(pack)
    } finally {
      await open.discard()
    }
    const index = await this.#openIndex()
    await index.addPack(pack.id, pack.bytes, pack.entries)
    for (const entry of pack.entries) {
      const key = pendingKey(entry.kind, entry.id, 0)
      this.#pending.delete(key)
      if (entry.kind !== 'chunk') this.#restored?.add(key)
    }
  }

  #begin(packClass: PackClass): OpenPack {
    const pack = new OpenPack(packClass, this.#dryRun ? undefined : this.#backend.begin(packClass))
    this.#open.set(packClass, pack)
    return pack
  }

  /** A dry run stores nothing, so what it claimed stays pending: up to a bound, beyond which it may count duplicates. */
  #forgetSome(): void {
    if (this.#pending.size > MAX_DRY_RUN_PENDING) this.#pending.clear()
  }

  #throwFailure(): void {
    throwIfInterrupted(this.#signal)
    if (this.#failure) throw this.#failure.error
  }
}

/** A pack that is written as it grows. */
class OpenPack {
  readonly writer: PackWriter
  /** Undefined in a dry run. */
  readonly #file: Promise<UnnamedFile> | undefined

  constructor(packClass: PackClass, file: Promise<UnnamedFile> | undefined) {
    this.writer = new PackWriter(packClass)
    this.#file = file
    file?.catch(() => {}) // reported by whoever uses it
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    await (await this.#file)?.append(parts)
  }

  async publish(pack: FinishedPack): Promise<void> {
    const file = await this.#file
    await file?.append(pack.parts)
    await file?.publish(pack.id)
  }

  /** Never rejects, and does nothing to what is published. */
  async discard(): Promise<void> {
    await this.#file?.then(
      (file) => file.discard(),
      () => {},
    )
  }
}

function pendingKey(kind: ObjectKind, ids: Uint8Array, i: number): string {
  return kind + toByteString(ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES))
}
