import { crc32 } from 'node:zlib'
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import { ID_BYTES, idBytes, type PackId, packIdAt } from '../base/ids.ts'
import { KIND_CODES, type ObjectKind } from '../format/object.ts'
import type { PackClass } from '../format/pack.ts'

/**
 * What the index keeps in LevelDB. No part of the format: other versions may lay it out differently, and build it again
 * from the packs when they meet a layout that is not theirs.
 *
 *     "s"                                      → "chainkeep index 1"
 *     "n"                                      → u32 next pack number | check
 *     "p" | u32 pack number (big-endian)       → pack id (32) | u8 class | u32 bytes | u32 objects | check
 *     "g" | u32 pack number (big-endian)       → the same of a pack whose file has vanished: what it held can still be told
 *     u8 kind | object id (32)                 → location (21) … | check
 *     location = u32 pack number | u32 entry number | u32 offset | u32 storedLength | u32 plainLength | u8 codec
 *     check    = u32 CRC-32 of key and value; LevelDB is not asked for its own checksums when it looks a key up
 *
 * Packs have numbers, given in order and never twice, to keep locations short. A location in a pack that has no record
 * means nothing. All of a pack is written in one batch, so whatever batches LevelDB loses, no pack is known in part.
 */
export const SCHEMA_KEY: Buffer = Buffer.from('s')
export const SCHEMA: Buffer = Buffer.from('chainkeep index 1')
export const NEXT_NUMBER_KEY: Buffer = Buffer.from('n')
export const PACK_KEYS: KeyRange = { gte: Buffer.from('p'), lt: Buffer.from('q') }
export const GONE_KEYS: KeyRange = { gte: Buffer.from('g'), lt: Buffer.from('h') }

interface KeyRange {
  readonly gte: Buffer
  readonly lt: Buffer
}

const KEY_BYTES = 1 + ID_BYTES
const LOCATION_BYTES = 21
const CHECK_BYTES = 4
const PACK_CLASSES: readonly PackClass[] = ['data', 'meta']

export interface StoredLocation {
  readonly packNumber: number
  /** Place in the pack's trailer. */
  readonly entryNumber: number
  readonly offset: number
  readonly storedLength: number
  readonly plainLength: number
  readonly codec: number
}

export interface PackRecord {
  readonly number: number
  readonly id: PackId
  readonly packClass: PackClass
  readonly bytes: number
  readonly objects: number
}

/** The keys of n objects, views of one buffer: `kindOf(i)` and `idOf(i)` tell the i-th. */
export function objectKeys(
  count: number,
  kindOf: (i: number) => ObjectKind,
  idOf: (i: number) => Uint8Array,
): Buffer[] {
  const bytes = Buffer.allocUnsafeSlow(count * KEY_BYTES)
  const keys: Buffer[] = []
  for (let i = 0; i < count; i++) {
    const key = bytes.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES)
    key[0] = KIND_CODES[kindOf(i)]
    key.set(idOf(i), 1)
    keys.push(key)
  }
  return keys
}

/** Written and read for every object, so without ByteWriter and ByteReader: 5 million at once in bench/index. */
export function encodeLocations(key: Buffer, locations: readonly StoredLocation[]): Buffer {
  const value = Buffer.allocUnsafe(locations.length * LOCATION_BYTES + CHECK_BYTES)
  let at = 0
  for (const location of locations) {
    at = value.writeUInt32LE(location.packNumber, at)
    at = value.writeUInt32LE(location.entryNumber, at)
    at = value.writeUInt32LE(location.offset, at)
    at = value.writeUInt32LE(location.storedLength, at)
    at = value.writeUInt32LE(location.plainLength, at)
    at = value.writeUInt8(location.codec, at)
  }
  return writeCheck(key, value)
}

/** Throws CORRUPT, as the other decoders here do, with `details.index` set. */
export function decodeLocations(key: Buffer, value: Buffer): StoredLocation[] {
  const length = checkedLength(key, value)
  const locations: StoredLocation[] = []
  for (let at = 0; at + LOCATION_BYTES <= length; at += LOCATION_BYTES)
    locations.push({
      packNumber: value.readUInt32LE(at),
      entryNumber: value.readUInt32LE(at + 4),
      offset: value.readUInt32LE(at + 8),
      storedLength: value.readUInt32LE(at + 12),
      plainLength: value.readUInt32LE(at + 16),
      codec: value.readUInt8(at + 20),
    })
  return locations
}

export const packKey = (number: number): Buffer => numbered('p', number)
export const goneKey = (number: number): Buffer => numbered('g', number)

function numbered(prefix: string, number: number): Buffer {
  const key = Buffer.from(`${prefix}....`)
  key.writeUInt32BE(number, 1)
  return key
}

/** To be stored under `key`: a `packKey` or `goneKey`. */
export function encodePackRecord(key: Buffer, record: PackRecord): Buffer {
  const writer = new ByteWriter(ID_BYTES + 9 + CHECK_BYTES)
  writer.bytes(idBytes(record.id)).u8(PACK_CLASSES.indexOf(record.packClass)).u32(record.bytes).u32(record.objects)
  return writeCheck(key, Buffer.from(writer.u32(0).finish()))
}

export function decodePackRecord(key: Buffer, value: Buffer): PackRecord {
  const reader = new ByteReader(value.subarray(0, checkedLength(key, value)), 'index')
  const id = packIdAt(reader.bytesView(ID_BYTES))
  const packClass = PACK_CLASSES[reader.u8()]
  if (!packClass) throw indexDamage('a pack of unknown class')
  return { number: key.readUInt32BE(1), id, packClass, bytes: reader.u32(), objects: reader.u32() }
}

export function encodeNextNumber(number: number): Buffer {
  const value = Buffer.alloc(4 + CHECK_BYTES)
  value.writeUInt32LE(number)
  return writeCheck(NEXT_NUMBER_KEY, value)
}

export function decodeNextNumber(value: Buffer): number {
  checkedLength(NEXT_NUMBER_KEY, value)
  return value.readUInt32LE(0)
}

/** The error for an index that contradicts itself. It never leaves the repository's room: the index is built again. */
export function indexDamage(what: string): ChainkeepError {
  return new ChainkeepError('CORRUPT', `the index holds ${what}`, { index: true })
}

function writeCheck(key: Buffer, value: Buffer): Buffer {
  const end = value.length - CHECK_BYTES
  value.writeUInt32LE(crc32(value.subarray(0, end), crc32(key)), end)
  return value
}

/** The length of the value without its check, which must be right. */
function checkedLength(key: Buffer, value: Buffer): number {
  const end = value.length - CHECK_BYTES
  if (end < 0 || value.readUInt32LE(end) !== crc32(value.subarray(0, end), crc32(key)))
    throw indexDamage(`a wrong checksum for the key ${key.toString('hex')}`)
  return end
}
