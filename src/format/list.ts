import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { ID_BYTES } from '../base/ids.ts'

/**
 * Lists: the content of a file as a hash tree (FORMAT.md §6).
 *
 *     list = u8 height | 3 zero bytes | u32 count | count × id (32) | count × u64 length
 *
 * At height 1 the ids are those of chunks and the lengths theirs; above, those of lists and the bytes below each.
 */
export interface List {
  readonly height: number
  /** count × 32 bytes, packed. */
  readonly ids: Uint8Array
  /** Bytes of the file below each entry. */
  readonly lengths: readonly number[]
}

export const LIST_MIN_ENTRIES = 8
export const LIST_MAX_ENTRIES = 256
/** Every list but the last of a level holds at least 8 entries; 16 levels are more than any file needs. */
export const MAX_LIST_HEIGHT = 16

/**
 * Whether a list ends after its entry number `count`, whose id ends in the byte `lastByte`: one in 32, so that a list
 * is some 1.5 KB, and a changed chunk of a huge file rewrites a path of few such lists.
 */
export function endsList(count: number, lastByte: number): boolean {
  return count >= LIST_MAX_ENTRIES || (count >= LIST_MIN_ENTRIES && (lastByte & 31) === 0)
}

/** Encodes `count` entries; borrows `ids` (packed). */
export function encodeList(height: number, ids: Uint8Array, lengths: readonly number[]): Uint8Array {
  if (ids.length !== lengths.length * ID_BYTES)
    throw new RangeError(`${lengths.length} lengths for ${ids.length} bytes of ids`)
  const writer = new ByteWriter(8 + lengths.length * (ID_BYTES + 8))
  writer.u8(height).u8(0).u16(0).u32(lengths.length).bytes(ids)
  for (const length of lengths) writer.u64(length)
  return writer.finish()
}

/** Strict inverse; a list that is not of `height` is refused, so that no chain of them can loop. Borrows `bytes`. */
export function decodeList(bytes: Uint8Array, height: number, file: string): List {
  const reader = new ByteReader(bytes, file)
  const actual = reader.u8()
  if (actual !== height) reader.fail(`a list of height ${actual}, not ${height}`, 0)
  if (reader.u8() !== 0 || reader.u16() !== 0) reader.fail('a list with unknown flags', 1)
  const count = reader.u32()
  if (count < 1 || count > LIST_MAX_ENTRIES) reader.fail(`a list of ${count} entries`, 4)
  const ids = reader.bytesView(count * ID_BYTES)
  const lengths: number[] = []
  for (let i = 0; i < count; i++) {
    const length = reader.u64()
    if (length === 0) reader.fail('an entry of no bytes')
    lengths.push(length)
  }
  reader.end()
  return { height, ids, lengths }
}
