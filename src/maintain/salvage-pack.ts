import { ByteReader, bufferView } from '../base/bytes.ts'
import { objectIdAt } from '../base/ids.ts'
import {
  decodeRecordHeader,
  hashObject,
  openRecord,
  openStored,
  RECORD_SIGNATURE,
  recordLength,
} from '../format/object.ts'
import type { PackName } from '../format/pack.ts'
import { MAX_PACK_BYTES, type PackEntry, packClassOf } from '../format/pack.ts'
import { isDamage } from '../repository/damage.ts'
import { readPackTrailer } from '../repository/pack-trailer.ts'
import type { Repository } from '../repository/repository.ts'

export interface SalvagedPack {
  /** The whole file. */
  readonly bytes: Uint8Array
  /** Where sound objects are in it, each opened and checked against its id, in order. */
  readonly entries: readonly PackEntry[]
  /** How many objects it had, if its trailer can be read. */
  readonly objects: number | undefined
}

/**
 * Finds what is sound in a damaged pack: by its trailer if that can be read, else by walking forward from record to record, and
 * from damage to the next signature. Records carry a part of the id only; the whole is computed from the content. Memory:
 * the pack. Rejects NOT_FOUND, and errors of the backend that say nothing about what is stored.
 */
export async function salvagePack({ backend }: Repository, { packClass, id }: PackName): Promise<SalvagedPack> {
  const { size } = await backend.stat(packClass, id)
  const length = Math.min(size, MAX_PACK_BYTES)
  const bytes = await backend.get(packClass, id, { offset: 0, length })
  const file = `${packClass}/${id}`
  let trailer: PackEntry[] | undefined
  try {
    trailer = await readPackTrailer(backend, packClass, id)
  } catch (error) {
    if (!isDamage(error)) throw error
  }
  const entries = trailer?.filter((entry) => isSound(bytes, entry, file)) ?? [...walkRecords(bytes, file)]
  const fitting = entries.filter(({ kind }) => packClassOf(kind) === packClass)
  return { bytes, entries: fitting, objects: trailer?.length }
}

function isSound(bytes: Uint8Array, entry: PackEntry, file: string): boolean {
  const record = bytes.subarray(entry.offset, entry.offset + recordLength(entry))
  return succeeds(() => openRecord(record, entry.kind, objectIdAt(entry.id), file, entry.offset)) !== undefined
}

/** Every record in `bytes` that is sound. What follows one is looked at first; after damage, the next signature. */
export function* walkRecords(bytes: Uint8Array, file: string): Generator<PackEntry, void, undefined> {
  const view = bufferView(bytes)
  for (let at = view.indexOf(RECORD_SIGNATURE); at !== -1; ) {
    const offset = at
    const entry = succeeds(() => openAt(bytes, offset, file))
    if (entry) yield entry
    const next = entry ? offset + recordLength(entry) : offset + 1
    at = view.indexOf(RECORD_SIGNATURE, next)
  }
}

function openAt(bytes: Uint8Array, offset: number, file: string): PackEntry | undefined {
  const reader = new ByteReader(bytes.subarray(offset), file, offset)
  const header = decodeRecordHeader(reader)
  const stored = reader.bytesView(header.storedLength)
  const id = hashObject(header.kind, openStored(header, stored, file, offset))
  const { kind, codec, storedLength, plainLength, idPrefix } = header
  const isNamed = Buffer.compare(id.subarray(0, idPrefix.length), idPrefix) === 0
  return isNamed ? { id, offset, kind, codec, storedLength, plainLength } : undefined
}

/** The result, or `undefined` if it is not there because of damage. */
function succeeds<T>(open: () => T): T | undefined {
  try {
    return open()
  } catch (error) {
    if (isDamage(error)) return undefined
    throw error
  }
}
