import { ByteReader, ByteWriter, badFormat } from '../base/bytes.ts'
import { ID_BYTES, idBytes, packIdAt } from '../base/ids.ts'
import { crc32 } from '../native/crc32.ts'
import { addProducts, reciprocal } from '../native/products.ts'
import { MAX_PACK_BYTES, PACK_CLASS_CODES, type PackName, packClassOfCode } from './pack.ts'

/**
 * Parity: FORMAT.md §14.
 *
 *     file   = header (64) | table | parity blocks | table | header (64)
 *     header = "CKPARITY" | u8 version | u8 class | u8 percent | 5 × 0 | pack id (32) | u32 pack length | u32 CRC-32 of the table
 *              | u32 flags | u32 CRC-32 of what is before
 *     table  = u32 CRC-32 of each block of the pack and of each parity block
 */
export interface ParityHeader extends PackName {
  /** Length of the pack. */
  readonly packBytes: number
  /** Of the pack's length: 1 to 100. */
  readonly percent: number
}

export interface Parity {
  readonly header: ParityHeader
  readonly shape: ParityShape
  /** Checksums of the blocks of the pack, and then of the parity blocks. */
  readonly sums: readonly number[]
  /** All parity blocks, row by row; what is damaged may hold anything. */
  readonly blocks: Uint8Array
  /** Whether each of them is as its checksum says. */
  readonly isBlockSound: readonly boolean[]
  /** The file is whole: nothing of it is damaged, missing or too much. */
  readonly isSound: boolean
}

/** How a pack lies in the table of blocks. */
export interface ParityShape {
  readonly blockBytes: number
  /** Of the pack. */
  readonly blocks: number
  readonly columns: number
  /** Of the pack and of parity. */
  readonly rows: number
  readonly parityRows: number
}

export const PARITY_HEADER_BYTES = 64
export const MAX_PARITY_PERCENT = 100
const VERSION = 1
const SIGNATURE = 'CKPARITY'
const BLOCK_BYTES = 4096
/** Of the 256 elements of the field, half name rows of the pack, half rows of parity. */
const MAX_ROWS = 128

export function parityShape({ packBytes, percent }: Pick<ParityHeader, 'packBytes' | 'percent'>): ParityShape {
  const blockBytes = Math.min(BLOCK_BYTES, packBytes)
  const blocks = Math.ceil(packBytes / blockBytes)
  const columns = Math.ceil(blocks / MAX_ROWS)
  const rows = Math.ceil(blocks / columns)
  return { blockBytes, blocks, columns, rows, parityRows: Math.ceil((rows * percent) / 100) }
}

/** Of the file of parity. */
export function parityBytes({ blockBytes, blocks, columns, parityRows }: ParityShape): number {
  const parityBlocks = parityRows * columns
  return 2 * (PARITY_HEADER_BYTES + 4 * (blocks + parityBlocks)) + parityBlocks * blockBytes
}

/** Of any pack's; no more is read. */
export const MAX_PARITY_BYTES: number = parityBytes(
  parityShape({ packBytes: MAX_PACK_BYTES, percent: MAX_PARITY_PERCENT }),
)

/** What a block of a row counts in a parity block: an element of a Cauchy matrix. */
export const coefficient = (parityRow: number, row: number): number => reciprocal((MAX_ROWS + parityRow) ^ row)

/** The file of parity, in parts that the caller owns. Borrows `pack`, all of it. */
export function encodeParity(pack: Uint8Array, header: Omit<ParityHeader, 'packBytes'>): Uint8Array[] {
  const shape = parityShape({ packBytes: pack.length, percent: header.percent })
  const { blockBytes, columns, rows, parityRows } = shape
  const rowBytes = columns * blockBytes
  const parity = new Uint8Array(parityRows * rowBytes)
  const wholeRows = Math.floor(pack.length / rowBytes)
  const end = wholeRows * rowBytes
  addProducts(matrix(parityRows, 0, wholeRows), pack.subarray(0, end), parity, rowBytes)
  if (wholeRows < rows) {
    const last = new Uint8Array(rowBytes) // filled up with zeros
    last.set(pack.subarray(end))
    addProducts(matrix(parityRows, wholeRows, rows), last, parity, rowBytes)
  }
  const sums = [...blockSums(pack, blockBytes), ...blockSums(parity, blockBytes)]
  const table = new ByteWriter(4 * sums.length)
  for (const sum of sums) table.u32(sum)
  const head = encodeHeader({ ...header, packBytes: pack.length }, crc32(table.written))
  return [head, table.written, parity, table.written, head]
}

/** Coefficients of rows of the pack from `row` to `end`, for each row of parity. */
const matrix = (parityRows: number, row: number, end: number): Uint8Array =>
  Uint8Array.from({ length: parityRows * (end - row) }, (_, i) => {
    const count = end - row
    return coefficient(Math.floor(i / count), row + (i % count))
  })

/** CRC-32 of each block; the last may be shorter. */
export function blockSums(bytes: Uint8Array, blockBytes: number): number[] {
  const blocks = Math.ceil(bytes.length / blockBytes)
  return Array.from({ length: blocks }, (_, i) => crc32(bytes.subarray(i * blockBytes, (i + 1) * blockBytes)))
}

function encodeHeader({ packClass, percent, id, packBytes }: ParityHeader, tableSum: number): Uint8Array {
  const writer = new ByteWriter(PARITY_HEADER_BYTES)
  writer.ascii(SIGNATURE).u8(VERSION).u8(PACK_CLASS_CODES[packClass]).u8(percent).bytes(new Uint8Array(5))
  writer.bytes(idBytes(id)).u32(packBytes).u32(tableSum).u32(0)
  return writer.u32(crc32(writer.written)).finish()
}

/** Reads the first or the last 64 bytes. Throws BAD_FORMAT or TRUNCATED. */
export function decodeParityHeader(bytes: Uint8Array, file: string): ParityHeader & { readonly tableSum: number } {
  const reader = new ByteReader(bytes, file)
  reader.signature(SIGNATURE, 'parity')
  const version = reader.u8()
  const classCode = reader.u8()
  const percent = reader.u8()
  const reserved = reader.bytesView(5)
  const id = packIdAt(reader.bytesView(ID_BYTES))
  const packBytes = reader.u32()
  const tableSum = reader.u32()
  const flags = reader.u32()
  if (reader.u32() !== crc32(bytes.subarray(0, PARITY_HEADER_BYTES - 4))) reader.fail('a wrong checksum', 0)
  reader.end()
  if (version !== VERSION) reader.fail(`parity of an unknown version ${version}`, 8)
  if (flags !== 0 || reserved.some((byte) => byte !== 0)) reader.fail('parity with unknown flags', 11)
  const packClass = packClassOfCode(classCode)
  if (packClass === undefined) return reader.fail('parity of an unknown class of packs', 9)
  if (percent < 1 || percent > MAX_PARITY_PERCENT) reader.fail(`parity of ${percent} %`, 10)
  if (packBytes < 1 || packBytes > MAX_PACK_BYTES) reader.fail(`parity of a pack of ${packBytes} bytes`, 48)
  return { packClass, id, packBytes, percent, tableSum }
}

/**
 * Reads a file of parity, damaged or not, given whose it should be. Throws BAD_FORMAT if neither of its headers can be used.
 * The blocks are a view where the file is whole.
 */
export function decodeParity(bytes: Uint8Array, pack: PackName, file: string): Parity {
  const heads = [headAt(bytes, pack, false, file), headAt(bytes, pack, true, file)]
  const head = heads[0] ?? heads[1]
  if (!head) throw badFormat(file, 0, 'parity of which both headers are damaged')
  const { header, table } = head
  const shape = parityShape(header)
  const { blockBytes, columns, parityRows } = shape
  const length = parityRows * columns * blockBytes
  const start = PARITY_HEADER_BYTES + table.length
  const there = bytes.subarray(start, start + length)
  const blocks = there.length === length ? there : Buffer.concat([there], length)
  const sums = Array.from({ length: table.length / 4 }, (_, i) => table.readUInt32LE(4 * i))
  const isBlockSound = blockSums(blocks, blockBytes).map((sum, i) => sum === sums[shape.blocks + i])
  const areHeadsAlike = heads.every((each) => each && Buffer.compare(each.bytes, head.bytes) === 0)
  const isSound = bytes.length === parityBytes(shape) && areHeadsAlike && isBlockSound.every(Boolean)
  return { header, shape, sums, blocks, isBlockSound, isSound }
}

interface Head {
  readonly header: ParityHeader
  readonly bytes: Uint8Array
  readonly table: Buffer
}

/** The first header and its table, or the last; undefined if that is damaged, or of another pack. */
function headAt(bytes: Uint8Array, { packClass, id }: PackName, isLast: boolean, file: string): Head | undefined {
  const at = isLast ? bytes.length - PARITY_HEADER_BYTES : 0
  const head = bytes.subarray(Math.max(0, at), at + PARITY_HEADER_BYTES)
  let header: ReturnType<typeof decodeParityHeader>
  try {
    header = decodeParityHeader(head, file)
  } catch {
    return undefined // the other may do
  }
  const { blocks, columns, parityRows } = parityShape(header)
  const length = 4 * (blocks + parityRows * columns)
  const from = isLast ? at - length : PARITY_HEADER_BYTES
  const table = Buffer.from(bytes.subarray(Math.max(0, from), from + length))
  const isRight = header.packClass === packClass && header.id === id && crc32(table) === header.tableSum
  return isRight && table.length === length ? { header, bytes: head, table } : undefined
}
