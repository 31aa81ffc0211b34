import { isAllZero } from '../base/bytes.ts'
import { ID_BYTES } from '../base/ids.ts'
import { type ObjectHeader, recordLength, sealObject } from '../format/object.ts'
import type { Compressor } from '../native/compress.ts'
import { hashChunks } from '../native/hash.ts'
import type { Tools } from './tools.ts'

/** The chunks of a slice, the first of which begins at 0. */
export interface SliceChunks {
  readonly ends: Uint32Array
  /** Where each lies in its file. */
  readonly positions: Float64Array
}

/** Chunks as records, one after another. */
export interface SealedSlice {
  /** Packed. */
  readonly ids: Uint8Array
  readonly headers: readonly ObjectHeader[]
  readonly records: Uint8Array
}

/**
 * The ids (packed) of the chunks that end at `ends`, the first beginning at 0. Those of `maxBytes` zeros, which preallocated
 * and sparse files have in plenty, are hashed once in a thread's life.
 */
export function hashSlice(slice: Uint8Array, ends: Uint32Array, maxBytes: number, tools: Tools): Uint8Array {
  const ids = new Uint8Array(ends.length * ID_BYTES)
  let hashed = 0
  const hashUpTo = (i: number): void => {
    const start = hashed === 0 ? 0 : ends[hashed - 1]!
    hashChunks(slice, start, ends.subarray(hashed, i), i - hashed, ids, hashed * ID_BYTES)
    hashed = i
  }
  for (const [i, end] of ends.entries()) {
    const start = i === 0 ? 0 : ends[i - 1]!
    if (end - start !== maxBytes || !isAllZero(slice.subarray(start, end))) continue
    hashUpTo(i)
    ids.set(tools.zerosId(maxBytes), i * ID_BYTES)
    hashed = i + 1
  }
  hashUpTo(ends.length)
  return ids
}

/** Those of the chunks that are `wanted` (1 for each), as records at the start of `room`, which must be large enough. */
export function sealSlice(
  slice: Uint8Array,
  { ends, positions }: SliceChunks,
  ids: Uint8Array,
  wanted: Uint8Array,
  compressor: Compressor,
  room: Buffer,
): SealedSlice {
  const chosen = [...ends.keys()].filter((i) => wanted[i] === 1)
  const startOf = (i: number): number => (i === 0 ? 0 : ends[i - 1]!)
  const sealedIds = Buffer.alloc(chosen.length * ID_BYTES)
  const headers: ObjectHeader[] = []
  let offset = 0
  for (const [n, i] of chosen.entries()) {
    const id = ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)
    sealedIds.set(id, n * ID_BYTES)
    const plain = slice.subarray(startOf(i), ends[i])
    const header = sealObject('chunk', id, plain, compressor, room, offset, positions[i])
    headers.push(header)
    offset += recordLength(header)
  }
  return { ids: sealedIds, headers, records: room.subarray(0, offset) }
}
