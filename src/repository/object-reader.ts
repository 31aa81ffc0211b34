import type { Backend } from '../backend/backend.ts'
import { ChainkeepError } from '../base/errors.ts'
import { idBytes, type ObjectId } from '../base/ids.ts'
import { type ObjectKind, openRecord, RECORD_HEADER_BYTES } from '../format/object.ts'
import { packClassOf } from '../format/pack.ts'
import { isUnreadable } from './damage.ts'
import type { Location, ObjectIndex } from './object-index.ts'

/** Trees and lists that were written together are read together: a window of a pack is fetched and kept. */
const WINDOW_BYTES = 512 * 1024
/** Fetched beyond a window: a record across its end then needs no read of its own, unless it is longer. */
const OVERLAP_BYTES = 64 * 1024
const WINDOWS_KEPT = 16

/** Reads single objects, each checked against its id. Memory: WINDOWS_KEPT × (WINDOW_BYTES + OVERLAP_BYTES, or the longest object). */
export class ObjectReader {
  readonly #backend: Backend
  readonly #openIndex: () => Promise<ObjectIndex>
  /** Keyed by pack and window; in order of use. */
  readonly #windows = new Map<string, Promise<Window>>()
  #rebuilt = false

  constructor(backend: Backend, openIndex: () => Promise<ObjectIndex>) {
    this.#backend = backend
    this.#openIndex = openIndex
  }

  /**
   * Rejects NOT_FOUND if no pack holds it; what `loadAt` rejects for the first copy if no copy can be read. The caller owns
   * the result.
   */
  async load(kind: ObjectKind, id: ObjectId): Promise<Uint8Array> {
    const index = await this.#openIndex()
    let [location] = await index.locate(kind, idBytes(id))
    if (!location && !this.#rebuilt) {
      // A flipped bit in LevelDB's own files can hide an entry; what a snapshot needs is worth a second look.
      this.#rebuilt = true
      await index.rebuild()
      ;[location] = await index.locate(kind, idBytes(id))
    }
    if (!location) throw new ChainkeepError('NOT_FOUND', `${kind} ${id} is in no pack of the repository`, { kind, id })
    try {
      return await this.loadAt(kind, id, location)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      if (error.code === 'NOT_FOUND') await index.refresh() // a prune has moved it
      const plain = await this.#loadOther(kind, id, location)
      if (!plain) throw error
      return plain
    }
  }

  /** The copy at one location. Rejects CORRUPT, BAD_FORMAT, TRUNCATED, UNSUPPORTED, or NOT_FOUND for the pack. */
  async loadAt(kind: ObjectKind, id: ObjectId, location: Location): Promise<Uint8Array> {
    const length = RECORD_HEADER_BYTES + location.storedLength
    const packClass = packClassOf(kind)
    const window = await this.#window(packClass, location, length)
    const record = window.bytes.subarray(location.offset - window.offset, location.offset - window.offset + length)
    return openRecord(record, kind, id, `${packClass}/${location.pack}`, location.offset)
  }

  /** The first copy that can be read, besides the one at `tried`. */
  async #loadOther(kind: ObjectKind, id: ObjectId, tried: Location): Promise<Uint8Array | undefined> {
    const index = await this.#openIndex()
    for (const copy of await index.locateCopies(kind, idBytes(id))) {
      if (copy.ordinal === tried.ordinal) continue
      try {
        return await this.loadAt(kind, id, copy)
      } catch (error) {
        if (!isUnreadable(error)) throw error
      }
    }
    return undefined
  }

  async #window(packClass: 'data' | 'meta', location: Location, length: number): Promise<Window> {
    const number = Math.floor(location.offset / WINDOW_BYTES)
    const key = `${location.pack}/${number}`
    const kept = this.#windows.get(key)
    if (kept) {
      const window = await kept
      if (location.offset + length <= window.offset + window.bytes.length) {
        this.#windows.delete(key)
        this.#windows.set(key, kept)
        return window
      }
    }
    const window = this.#fetch(packClass, location, number * WINDOW_BYTES, length)
    window.catch(() => this.#windows.delete(key))
    this.#windows.delete(key)
    this.#windows.set(key, window)
    if (this.#windows.size > WINDOWS_KEPT) this.#windows.delete(this.#windows.keys().next().value!)
    return window
  }

  async #fetch(packClass: 'data' | 'meta', location: Location, offset: number, length: number): Promise<Window> {
    const index = await this.#openIndex()
    const packBytes = index.pack(location.pack)?.bytes ?? location.offset + length
    const end = Math.min(packBytes, Math.max(offset + WINDOW_BYTES + OVERLAP_BYTES, location.offset + length))
    return { offset, bytes: await this.#backend.get(packClass, location.pack, { offset, length: end - offset }) }
  }
}

interface Window {
  readonly offset: number
  readonly bytes: Uint8Array
}
