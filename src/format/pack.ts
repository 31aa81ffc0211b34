import { crc32 } from 'node:zlib'
import { ByteReader, ByteWriter, badFormat } from '../base/bytes.ts'
import { ID_BYTES, type PackId, packIdAt } from '../base/ids.ts'
import { sha3_256 } from '../native/hash.ts'
import {
  checkObjectFields,
  corrupt,
  KIND_CODES,
  type ObjectHeader,
  type ObjectKind,
  RECORD_HEADER_BYTES,
} from './object.ts'

/**
 * Packs: FORMAT.md §4.
 *
 *     pack    = header (16) | record … | trailer (48 each) | footer (64)
 *     header  = "CKPACK" | u8 version | u8 class | 8 random bytes
 *     trailer = id (32) | u32 offset | u32 storedLength | u32 plainLength | u8 kind | u8 codec | u16 flags
 *     footer  = u32 count | u32 trailerLength | u64 packLength | pack id (32) | u32 flags | u32 CRC-32 | "CKPKEND\n"
 */
export type PackClass = 'data' | 'meta'

/** A pack by its file. */
export interface PackName {
  readonly packClass: PackClass
  readonly id: PackId
}

export const PACK_HEADER_BYTES = 16
export const PACK_ENTRY_BYTES = 48
export const PACK_FOOTER_BYTES = 64
/** Larger ones are not read: offsets are u32, and a trailer must fit into memory. */
export const MAX_PACK_BYTES: number = 2 ** 30
const VERSION = 1
const SIGNATURE = 'CKPACK'
const END_SIGNATURE = 'CKPKEND\n'
export const PACK_CLASS_CODES = { data: 1, meta: 2 } as const

/** One object of a pack. Borrowed views, valid as long as the trailer's bytes. */
export interface PackEntry extends ObjectHeader {
  readonly id: Uint8Array
  /** Of the record's header in the pack. */
  readonly offset: number
}

/** `random` is 8 bytes: a pack that is written again has another id, so that a deletion can never hit it. */
export function encodePackHeader(packClass: PackClass, random: Uint8Array): Uint8Array {
  return new ByteWriter(PACK_HEADER_BYTES)
    .ascii(SIGNATURE)
    .u8(VERSION)
    .u8(PACK_CLASS_CODES[packClass])
    .bytes(random)
    .finish()
}

export function decodePackHeader(bytes: Uint8Array, file: string): PackClass {
  const reader = new ByteReader(bytes, file)
  reader.signature(SIGNATURE, 'a pack')
  const version = reader.u8()
  if (version !== VERSION) reader.fail(`a pack of unknown version ${version}`, 6)
  const code = reader.u8()
  return packClassOfCode(code) ?? reader.fail(`a pack of unknown class ${code}`, 7)
}

export function packClassOfCode(code: number): PackClass | undefined {
  if (code === PACK_CLASS_CODES.data) return 'data'
  return code === PACK_CLASS_CODES.meta ? 'meta' : undefined
}

/** The class of pack that objects of `kind` go into: data and metadata never share one. */
export const packClassOf = (kind: ObjectKind): PackClass => (kind === 'chunk' ? 'data' : 'meta')

/** Trailer and footer, to follow the last record; the id commits to the header, and to every entry's id and length. */
export function encodePackEnd(header: Uint8Array, entries: readonly PackEntry[]): { id: PackId; bytes: Uint8Array } {
  const trailerLength = entries.length * PACK_ENTRY_BYTES
  const writer = new ByteWriter(trailerLength + PACK_FOOTER_BYTES)
  let end = PACK_HEADER_BYTES
  for (const entry of entries) {
    writer.bytes(entry.id).u32(entry.offset).u32(entry.storedLength).u32(entry.plainLength)
    writer.u8(KIND_CODES[entry.kind]).u8(entry.codec).u16(0)
    end = entry.offset + RECORD_HEADER_BYTES + entry.storedLength
  }
  const id = sha3_256(header, writer.written)
  writer
    .u32(entries.length)
    .u32(trailerLength)
    .u64(end + trailerLength + PACK_FOOTER_BYTES)
  writer.bytes(id).u32(0)
  writer.u32(crc32(writer.written.subarray(trailerLength))).ascii(END_SIGNATURE)
  return { id: packIdAt(id), bytes: writer.finish() }
}

export interface PackFooter {
  readonly id: PackId
  readonly count: number
  /** Where the trailer begins in the pack. */
  readonly trailerOffset: number
}

/** Reads the last 64 bytes of a pack that is `packLength` long. Throws TRUNCATED or BAD_FORMAT. */
export function decodePackFooter(bytes: Uint8Array, file: string, packLength: number): PackFooter {
  const footer = new ByteReader(bytes, file, packLength - PACK_FOOTER_BYTES)
  const fields = footer.bytesView(PACK_FOOTER_BYTES - 12)
  const checksum = footer.u32()
  footer.signature(END_SIGNATURE, 'the end of a pack (it may have been cut off)')
  footer.end()
  if (checksum !== crc32(fields)) footer.fail('a pack footer with a wrong checksum', 0)
  // Only now: where a pack was cut off, anything else stands in their place.
  const reader = new ByteReader(fields, file, packLength - PACK_FOOTER_BYTES)
  const count = reader.u32()
  const trailerLength = reader.u32()
  const length = reader.u64()
  const id = packIdAt(reader.bytesView(ID_BYTES))
  const flags = reader.u32()
  if (flags !== 0) reader.fail(`a pack with unknown flags ${flags}`, 48)
  if (length !== packLength) reader.fail(`a pack of ${packLength} bytes that should have ${length}`, 8)
  if (count === 0) reader.fail('a pack of no records', 0)
  const trailerOffset = packLength - PACK_FOOTER_BYTES - trailerLength
  if (trailerLength !== count * PACK_ENTRY_BYTES || trailerOffset < PACK_HEADER_BYTES)
    reader.fail('an impossible trailer length', 4)
  return { id, count, trailerOffset }
}

/**
 * Reads the trailer, given its bytes and those of the pack's header: checks that `footer.id` is their hash, that the
 * entries follow one another without a gap, and that each kind belongs to the class. Throws BAD_FORMAT or CORRUPT.
 */
export function decodePackTrailer(
  trailer: Uint8Array,
  header: Uint8Array,
  footer: PackFooter,
  file: string,
): PackEntry[] {
  const packClass = decodePackHeader(header, file)
  const id = packIdAt(sha3_256(header, trailer))
  if (id !== footer.id) throw corrupt(file, footer.trailerOffset, 'a pack trailer that has changed', { id })
  const reader = new ByteReader(trailer, file, footer.trailerOffset)
  const entries: PackEntry[] = []
  let end = PACK_HEADER_BYTES
  for (let i = 0; i < footer.count; i++) {
    const entryId = reader.bytesView(ID_BYTES)
    const offset = reader.u32()
    const storedLength = reader.u32()
    const plainLength = reader.u32()
    const kindCode = reader.u8()
    const codec = reader.u8()
    if (reader.u16() !== 0) reader.fail('an entry with unknown flags')
    const fields = checkObjectFields(reader, kindCode, codec, storedLength, plainLength)
    if (offset !== end) reader.fail(`an entry at ${offset} that should begin at ${end}`)
    if (fields.kind === 'snapshot' || packClassOf(fields.kind) !== packClass)
      reader.fail(`a ${fields.kind} in a ${packClass} pack`)
    end = offset + RECORD_HEADER_BYTES + storedLength
    entries.push({ id: entryId, offset, ...fields })
  }
  reader.end()
  if (end !== footer.trailerOffset) reader.fail(`records that end at ${end}, not at the trailer`)
  return entries
}

/** What a pack holds, given all its bytes. Throws TRUNCATED, BAD_FORMAT, or CORRUPT when it is not the pack of that name. */
export function decodePack(bytes: Uint8Array, { packClass, id }: PackName, file: string): PackEntry[] {
  const header = bytes.subarray(0, PACK_HEADER_BYTES)
  const end = Math.max(0, bytes.length - PACK_FOOTER_BYTES)
  const footer = decodePackFooter(bytes.subarray(end), file, bytes.length)
  if (footer.id !== id) throw corrupt(file, end, `pack ${footer.id} under another name`)
  if (decodePackHeader(header, file) !== packClass) throw badFormat(file, 7, `not a ${packClass} pack`)
  return decodePackTrailer(bytes.subarray(footer.trailerOffset, end), header, footer, file)
}
