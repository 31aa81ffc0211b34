import type { Backend } from '../backend/backend.ts'
import { badFormat } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import type { PackId } from '../base/ids.ts'
import { corrupt, recordLength } from '../format/object.ts'
import {
  decodePackFooter,
  decodePackHeader,
  decodePackTrailer,
  MAX_PACK_BYTES,
  PACK_ENTRY_BYTES,
  PACK_FOOTER_BYTES,
  PACK_HEADER_BYTES,
  type PackClass,
  type PackEntry,
} from '../format/pack.ts'

/** Read in one go from the end: the trailer of some 1 300 objects, which few packs exceed. */
const TAIL_BYTES = 64 * 1024

/**
 * What a pack holds, from its header and its end alone: two small reads, or three. Nothing says that the records
 * themselves are sound. Rejects NOT_FOUND, TRUNCATED, BAD_FORMAT, or CORRUPT when the pack is not the one of that name.
 */
export async function readPackTrailer(backend: Backend, packClass: PackClass, id: PackId): Promise<PackEntry[]> {
  const file = `${packClass}/${id}`
  const { size: packBytes } = await backend.stat(packClass, id)
  if (packBytes < PACK_HEADER_BYTES + PACK_FOOTER_BYTES)
    throw new ChainkeepError('TRUNCATED', `${file}: ends after ${packBytes} bytes`, { file, offset: packBytes })
  if (packBytes > MAX_PACK_BYTES) throw badFormat(file, 0, `a pack of ${packBytes} bytes`)
  const read = (offset: number, length: number): Promise<Uint8Array> => backend.get(packClass, id, { offset, length })

  const tailOffset = Math.max(0, packBytes - TAIL_BYTES)
  const tail = await read(tailOffset, packBytes - tailOffset)
  const footer = decodePackFooter(tail.subarray(tail.length - PACK_FOOTER_BYTES), file, packBytes)
  if (footer.id !== id) throw corrupt(file, packBytes - PACK_FOOTER_BYTES, `pack ${footer.id} under another name`)
  const trailerEnd = packBytes - PACK_FOOTER_BYTES
  const trailer =
    footer.trailerOffset >= tailOffset
      ? tail.subarray(footer.trailerOffset - tailOffset, trailerEnd - tailOffset)
      : await read(footer.trailerOffset, trailerEnd - footer.trailerOffset)
  const header = tailOffset === 0 ? tail.subarray(0, PACK_HEADER_BYTES) : await read(0, PACK_HEADER_BYTES)
  if (decodePackHeader(header, file) !== packClass) throw badFormat(file, 7, `not a ${packClass} pack`)
  return decodePackTrailer(trailer, header, footer, file)
}

/** Length in bytes of the pack that has this trailer: its records leave no gaps. */
export function packLength(entries: readonly PackEntry[]): number {
  const last = entries.at(-1)
  const recordsEnd = last ? last.offset + recordLength(last) : PACK_HEADER_BYTES
  return recordsEnd + entries.length * PACK_ENTRY_BYTES + PACK_FOOTER_BYTES
}
