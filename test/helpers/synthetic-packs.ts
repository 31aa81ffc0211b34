import type { Backend, ByteRange, FileKind, FileStat, UnnamedFile } from '../../src/backend/backend.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { ID_BYTES, type PackId } from '../../src/base/ids.ts'
import { type ObjectKind, RECORD_HEADER_BYTES } from '../../src/format/object.ts'
import {
  encodePackEnd,
  encodePackHeader,
  PACK_HEADER_BYTES,
  type PackEntry,
  packClassOf,
} from '../../src/format/pack.ts'
import { beginInMemory } from './memory-backend.ts'
import { seededBytes } from './seeded-bytes.ts'

export interface SyntheticPack {
  readonly id: PackId
  readonly bytes: Uint8Array
  readonly entries: readonly PackEntry[]
}

const STORED_BYTES = 10

/** n × 32 bytes that depend on `seed` alone. */
export const syntheticIds = (seed: string, count: number): Buffer => seededBytes(`ids ${seed}`, count * ID_BYTES)

/** A pack whose header and end are right, and whose records are zeros. */
export function syntheticPack(seed: string, ids: Uint8Array, kind: ObjectKind = 'chunk'): SyntheticPack {
  const entries: PackEntry[] = []
  let offset = PACK_HEADER_BYTES
  for (let at = 0; at < ids.length; at += ID_BYTES) {
    const id = ids.subarray(at, at + ID_BYTES)
    entries.push({ id, offset, kind, codec: 0, storedLength: STORED_BYTES, plainLength: STORED_BYTES })
    offset += RECORD_HEADER_BYTES + STORED_BYTES
  }
  const header = encodePackHeader(packClassOf(kind), seededBytes(`pack ${seed}`, 8))
  const end = encodePackEnd(header, entries)
  const records = Buffer.alloc(offset - PACK_HEADER_BYTES)
  return { id: end.id, bytes: Buffer.concat([header, records, end.bytes]), entries }
}

/** A backend in memory that counts the reads. */
export class MemoryBackend implements Backend {
  readonly location = 'memory'
  readonly localDirectory = undefined
  readonly writer = '00'.repeat(8)
  reads = 0
  readonly #files = new Map<string, Uint8Array>()

  async put(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void> {
    this.#files.set(`${kind}/${name}`, Buffer.concat(parts))
  }

  async replace(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void> {
    await this.put(kind, name, parts)
  }

  begin(kind: FileKind): Promise<UnnamedFile> {
    return beginInMemory((name, parts) => this.put(kind, name, parts))
  }

  putBriefly(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void> {
    return this.put(kind, name, parts)
  }

  async get(kind: FileKind, name: string, range?: ByteRange): Promise<Uint8Array> {
    this.reads++
    const bytes = this.#find(kind, name)
    return range ? bytes.slice(range.offset, range.offset + range.length) : bytes.slice()
  }

  async stat(kind: FileKind, name: string): Promise<FileStat> {
    return { size: this.#find(kind, name).length, modifiedMs: 0 }
  }

  async *list(kind: FileKind): AsyncGenerator<string, void, undefined> {
    for (const path of this.#files.keys()) if (path.startsWith(`${kind}/`)) yield path.slice(kind.length + 1)
  }

  async remove(kind: FileKind, name: string): Promise<void> {
    this.#files.delete(`${kind}/${name}`)
  }

  async touch(): Promise<void> {}

  async clock(): Promise<number> {
    return 0
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #find(kind: FileKind, name: string): Uint8Array {
    const bytes = this.#files.get(`${kind}/${name}`)
    if (!bytes) throw new ChainkeepError('NOT_FOUND', `${kind}/${name} is not there`)
    return bytes
  }
}
