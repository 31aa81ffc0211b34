import { ByteReader, copyBytes } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import { ID_BYTES, type ObjectId, objectIdAt } from '../base/ids.ts'
import { CODEC_RAW, CODEC_XOR_ZSTD, CODEC_ZSTD, type Compressor, openCompressed } from '../native/compress.ts'
import { crc32 } from '../native/crc32.ts'
import { hashChunks, sha3_256, shake256 } from '../native/hash.ts'
import { XOR_KEY_BYTES } from '../native/xor-key.ts'

/**
 * Objects and their records: FORMAT.md §3.
 *
 *     record = header (32 bytes) | stored bytes
 *     header = "CKOB" | u8 kind | u8 codec | u16 flags | u32 storedLength | u32 plainLength
 *            | first 8 bytes of the id | u32 CRC-32 of the stored bytes | u32 CRC-32 of the 28 bytes before
 */
export const RECORD_HEADER_BYTES = 32
export const RECORD_SIGNATURE = 'CKOB'
const SIGNATURE_WORD = Buffer.from(RECORD_SIGNATURE).readUInt32LE()
const ID_PREFIX_BYTES = 8

/** The numbers are stored: never change or reuse one. */
export const KIND_CODES = { chunk: 1, list: 2, tree: 3, snapshot: 4, attributes: 5 } as const
export type ObjectKind = keyof typeof KIND_CODES
/** What a metadata pack may hold. */
export type MetadataKind = 'list' | 'tree' | 'attributes'

/** No object is longer, whatever its header says: what a reader may have to allocate for one. */
export const MAX_PLAIN_BYTES: number = 16 * 1024 * 1024

export interface ObjectHeader {
  readonly kind: ObjectKind
  readonly codec: number
  readonly storedLength: number
  readonly plainLength: number
}

export interface RecordHeader extends ObjectHeader {
  /** The first eight bytes of the id. */
  readonly idPrefix: Uint8Array
  readonly storedCrc: number
}

/**
 * The id of an object (FORMAT.md §1): SHA3-256 for chunks, so that `sha3sum` agrees, and SHAKE256 for everything else,
 * so that no crafted file content can have the id of a metadata object.
 */
export function hashObject(kind: ObjectKind, plain: Uint8Array): Uint8Array {
  return kind === 'chunk' ? sha3_256(plain) : shake256(plain)
}

/** The ids of objects of one kind, which lie one behind the other in `bytes` and end at `ends`; packed. */
export function hashObjects(kind: ObjectKind, bytes: Uint8Array, ends: Uint32Array): Uint8Array {
  const ids = new Uint8Array(ends.length * ID_BYTES)
  if (kind === 'chunk') hashChunks(bytes, 0, ends, ends.length, ids, 0)
  else for (const [i, end] of ends.entries()) ids.set(shake256(bytes.subarray(ends[i - 1] ?? 0, end)), i * ID_BYTES)
  return ids
}

export function objectKindOf(code: number): ObjectKind | undefined {
  return KINDS_BY_CODE[code]
}

/**
 * Writes the record of an object at `offset` of `target`, which needs room for the header and `plain.length` bytes more.
 * `position` is where a chunk lies in its file. Returns the header's fields; the record is `RECORD_HEADER_BYTES +
 * storedLength` long.
 */
export function sealObject(
  kind: ObjectKind,
  id: Uint8Array,
  plain: Uint8Array,
  compressor: Compressor,
  target: Buffer,
  offset: number,
  position = 0,
): ObjectHeader {
  const at = offset + RECORD_HEADER_BYTES
  const compressed = compressor.compressInto(plain, target, at, position)
  if (!compressed) copyBytes(plain, target, at)
  const { codec, length: storedLength } = compressed ?? { codec: CODEC_RAW, length: plain.length }
  target.write(RECORD_SIGNATURE, offset, 'latin1')
  target[offset + 4] = KIND_CODES[kind]
  target[offset + 5] = codec
  target.writeUInt16LE(0, offset + 6)
  target.writeUInt32LE(storedLength, offset + 8)
  target.writeUInt32LE(plain.length, offset + 12)
  target.set(id.subarray(0, ID_PREFIX_BYTES), offset + 16)
  target.writeUInt32LE(crc32(target.subarray(at, at + storedLength)), offset + 24)
  target.writeUInt32LE(crc32(target.subarray(offset, offset + 28)), offset + 28)
  return { kind, codec, storedLength, plainLength: plain.length }
}

/** Reads a record's header. Throws TRUNCATED or BAD_FORMAT. */
export function decodeRecordHeader(reader: ByteReader): RecordHeader {
  const start = reader.offset
  const bytes = reader.bytesView(RECORD_HEADER_BYTES)
  const fields = new ByteReader(bytes, reader.file, start)
  fields.signature(RECORD_SIGNATURE, 'an object record')
  const kindCode = fields.u8()
  const codec = fields.u8()
  const flags = fields.u16()
  const storedLength = fields.u32()
  const plainLength = fields.u32()
  const idPrefix = fields.bytesView(ID_PREFIX_BYTES)
  const storedCrc = fields.u32()
  if (fields.u32() !== crc32(bytes.subarray(0, 28))) fields.fail('a record header with a wrong checksum', 0)
  if (flags !== 0) fields.fail(`a record with unknown flags ${flags}`, 6)
  const header = { ...checkObjectFields(fields, kindCode, codec, storedLength, plainLength), idPrefix, storedCrc }
  return header
}

/** Checks the fields that records and pack trailers share; `reader` is where they were read from. */
export function checkObjectFields(
  reader: ByteReader,
  kindCode: number,
  codec: number,
  storedLength: number,
  plainLength: number,
): ObjectHeader {
  const kind = objectKindOf(kindCode)
  if (!kind) reader.fail(`an object of unknown kind ${kindCode}`)
  const leastStored = LEAST_STORED.get(codec)
  if (leastStored === undefined) reader.fail(`an object with unknown codec ${codec}`)
  if (plainLength < 1 || plainLength > MAX_PLAIN_BYTES) reader.fail(`an object of impossible length ${plainLength}`)
  const lengthFits =
    codec === CODEC_RAW ? storedLength === plainLength : storedLength >= leastStored && storedLength < plainLength
  if (!lengthFits) reader.fail(`an object stored in ${storedLength} bytes for ${plainLength}`)
  return { kind, codec, storedLength, plainLength }
}

/**
 * Opens a whole record that must hold the object `id` of `kind`: every length, checksum and the id are checked.
 * `file` and `offset` say where it lies. Throws BAD_FORMAT, TRUNCATED or CORRUPT. The caller owns the result, which is
 * a copy even when stored raw, unless `target` (exactly plainLength long) is given.
 */
export function openRecord(
  record: Uint8Array,
  kind: ObjectKind,
  id: ObjectId,
  file: string,
  offset: number,
  target?: Uint8Array,
): Uint8Array {
  const reader = new ByteReader(record, file, offset)
  const header = decodeRecordHeader(reader)
  if (header.kind !== kind) throw corrupt(file, offset, `a ${header.kind} where ${kind} ${id} should be`)
  const stored = reader.bytesView(header.storedLength)
  reader.end()
  const plain = openStored(header, stored, file, offset, target)
  const actual = objectIdAt(hashObject(kind, plain))
  if (actual !== id) throw corrupt(file, offset, `content of ${kind} ${id} has changed`, { id, actual })
  return plain
}

/**
 * Opens the record at `at` of `bytes` into `target`, as long as its plain bytes, if it is what `expected` says; for those who
 * open many and hash them together. False if it is not, or does not open: why, `openRecord` knows. With `checksums` the
 * record's own must be right, too; without, nothing is known of the plain bytes before their id is computed.
 */
export function openExpected(
  bytes: Buffer,
  at: number,
  expected: ObjectHeader & { readonly id: Uint8Array },
  target: Uint8Array,
  checksums: boolean,
): boolean {
  const start = at + RECORD_HEADER_BYTES
  const end = start + expected.storedLength
  if (!(at >= 0 && end <= bytes.length) || target.length !== expected.plainLength) return false
  const isExpected =
    bytes.readUInt32LE(at) === SIGNATURE_WORD &&
    bytes.readUInt32LE(at + 4) === KIND_CODES[expected.kind] + expected.codec * 256 &&
    bytes.readUInt32LE(at + 8) === expected.storedLength &&
    bytes.readUInt32LE(at + 12) === expected.plainLength &&
    bytes.compare(expected.id, 0, ID_PREFIX_BYTES, at + 16, at + 16 + ID_PREFIX_BYTES) === 0
  if (!isExpected) return false
  const stored = bytes.subarray(start, end)
  const isIntact = (): boolean =>
    bytes.readUInt32LE(at + 28) === crc32(bytes.subarray(at, at + 28)) && bytes.readUInt32LE(at + 24) === crc32(stored)
  if (checksums && !isIntact()) return false
  try {
    if (expected.codec !== CODEC_RAW) openCompressed(expected.codec, stored, target)
    else if (stored.length === target.length) copyBytes(stored, target, 0)
    else return false
    return true
  } catch {
    return false
  }
}

/** Checks the stored bytes' checksum and decompresses them. The id is left to the caller. */
export function openStored(
  header: RecordHeader,
  stored: Uint8Array,
  file: string,
  offset: number,
  target: Uint8Array = Buffer.allocUnsafeSlow(header.plainLength),
): Uint8Array {
  if (crc32(stored) !== header.storedCrc) throw corrupt(file, offset, 'an object with a wrong checksum')
  if (target.length !== header.plainLength)
    throw corrupt(file, offset, `an object of ${header.plainLength} bytes, not ${target.length}`)
  if (header.codec === CODEC_RAW) copyBytes(stored, target, 0)
  else decompressAt(header.codec, stored, target, file, offset)
  return target
}

/**
 * Checks a whole record against what the pack's trailer says of it without opening it: header, lengths, checksum, and the
 * part of the id that records have. `file` and `offset` say where it lies. Throws BAD_FORMAT, TRUNCATED or CORRUPT.
 */
export function checkRecord(
  record: Uint8Array,
  expected: ObjectHeader & { readonly id: Uint8Array },
  file: string,
  offset: number,
): void {
  const reader = new ByteReader(record, file, offset)
  const header = decodeRecordHeader(reader)
  const stored = reader.bytesView(header.storedLength)
  reader.end()
  const isExpected =
    header.kind === expected.kind &&
    header.codec === expected.codec &&
    header.plainLength === expected.plainLength &&
    Buffer.compare(header.idPrefix, expected.id.subarray(0, header.idPrefix.length)) === 0
  if (!isExpected) throw corrupt(file, offset, 'an object that is not the one in the trailer')
  if (crc32(stored) !== header.storedCrc) throw corrupt(file, offset, 'an object with a wrong checksum')
}

/** The error for bytes that are intact in form, but not what they should be. */
export function corrupt(
  file: string,
  offset: number,
  what: string,
  details: Record<string, unknown> = {},
): ChainkeepError {
  return new ChainkeepError('CORRUPT', `${file}: ${what}, at offset ${offset}`, { file, offset, ...details })
}

function decompressAt(codec: number, stored: Uint8Array, target: Uint8Array, file: string, offset: number): void {
  try {
    openCompressed(codec, stored, target)
  } catch (error) {
    throw new ChainkeepError(
      'CORRUPT',
      `${file}: an object that does not decompress, at offset ${offset}`,
      { file, offset },
      error,
    )
  }
}

/** How many stored bytes an object of each codec has at least. */
const LEAST_STORED: ReadonlyMap<number, number> = new Map([
  [CODEC_RAW, 1],
  [CODEC_ZSTD, 1],
  [CODEC_XOR_ZSTD, XOR_KEY_BYTES + 1],
])

const KINDS_BY_CODE: readonly (ObjectKind | undefined)[] = [
  undefined,
  'chunk',
  'list',
  'tree',
  'snapshot',
  'attributes',
]

/** Length in bytes of the whole record. */
export const recordLength = (header: ObjectHeader): number => RECORD_HEADER_BYTES + header.storedLength
