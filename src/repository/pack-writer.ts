import { randomBytes } from 'node:crypto'
import { ID_BYTES, type PackId } from '../base/ids.ts'
import { type ObjectHeader, recordLength } from '../format/object.ts'
import { encodePackEnd, encodePackHeader, PACK_HEADER_BYTES, type PackClass, type PackEntry } from '../format/pack.ts'

/** Objects of one kind, sealed into records that lie one after another. */
export interface SealedObjects {
  /** n × 32 bytes. */
  readonly ids: Uint8Array
  readonly headers: readonly ObjectHeader[]
  readonly records: Uint8Array
}

export interface FinishedPack {
  readonly id: PackId
  readonly packClass: PackClass
  readonly bytes: number
  /** What has not been taken. */
  readonly parts: readonly Uint8Array[]
  readonly entries: readonly PackEntry[]
}

/** Lays out one pack: header, records, trailer and footer (FORMAT.md §4). Single use. */
export class PackWriter {
  readonly #packClass: PackClass
  readonly #header: Uint8Array
  #parts: Uint8Array[]
  readonly #entries: PackEntry[] = []
  #size = PACK_HEADER_BYTES

  constructor(packClass: PackClass) {
    this.#packClass = packClass
    this.#header = encodePackHeader(packClass, randomBytes(8))
    this.#parts = [this.#header]
  }

  /** Bytes so far, without the trailer. */
  get size(): number {
    return this.#size
  }

  /** Appends objects and takes ownership of their bytes. */
  add(objects: SealedObjects): void {
    let offset = this.#size
    for (const [i, header] of objects.headers.entries()) {
      this.#entries.push({ ...header, id: objects.ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES), offset })
      offset += recordLength(header)
    }
    if (offset - this.#size !== objects.records.length)
      throw new RangeError('the records are not as long as their headers say')
    this.#parts.push(objects.records)
    this.#size = offset
  }

  /** Gives up what it has been given so far, for those who write it as it comes. `finish` then has what is left. */
  take(): Uint8Array[] {
    const parts = this.#parts
    this.#parts = []
    return parts
  }

  /** The writer must not be used again. */
  finish(): FinishedPack {
    const end = encodePackEnd(this.#header, this.#entries)
    return {
      id: end.id,
      packClass: this.#packClass,
      bytes: this.#size + end.bytes.length,
      parts: [...this.#parts, end.bytes],
      entries: this.#entries,
    }
  }
}
