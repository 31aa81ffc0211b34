import { addProducts, invert } from '../native/products.ts'
import { blockSums, coefficient, type Parity } from './parity.ts'

/** What parity tells of its pack. */
export interface Diagnosis {
  /** Blocks of the pack that are damaged or missing, in order. */
  readonly damaged: readonly number[]
  /** Whether each of them can be computed. */
  readonly canHeal: boolean
}

/** Finds the damaged blocks of a pack, given all bytes that are there, in their places (FORMAT.md §14). */
export function diagnose(pack: Uint8Array, { header, shape, sums, isBlockSound }: Parity): Diagnosis {
  const found = blockSums(pack.subarray(0, header.packBytes), shape.blockBytes)
  const damaged: number[] = []
  for (let block = 0; block < shape.blocks; block++) if (found[block] !== sums[block]) damaged.push(block)
  const canHeal = [...byColumn(damaged, shape.columns)].every(
    ([column, blocks]) => blocks.length <= soundParityRows(column, isBlockSound, shape.columns).length,
  )
  return { damaged, canHeal }
}

/**
 * The pack as it was, in memory of its own; undefined if more is damaged than parity can heal. Every block has its checksum;
 * whether the whole is the pack of that name is the caller's to check.
 */
export function heal(pack: Uint8Array, parity: Parity): Uint8Array | undefined {
  const { header, shape } = parity
  const { damaged, canHeal } = diagnose(pack, parity)
  if (!canHeal) return undefined
  const healed = new Uint8Array(shape.rows * shape.columns * shape.blockBytes) // with zeros to the end of the table
  healed.set(pack.subarray(0, header.packBytes))
  for (const [column, blocks] of byColumn(damaged, shape.columns)) healColumn(healed, parity, column, blocks)
  const whole = healed.subarray(0, header.packBytes)
  const isWhole = blockSums(whole, shape.blockBytes).every((sum, block) => sum === parity.sums[block])
  return isWhole ? whole : undefined
}

/**
 * Of a column, the parity blocks without what the sound blocks contribute to them are sums of the damaged ones alone, by a part
 * of the Cauchy matrix: its inverse makes these of those.
 */
function healColumn(
  pack: Uint8Array,
  { shape, blocks: parity, isBlockSound }: Parity,
  column: number,
  damaged: readonly number[],
): void {
  const { blockBytes, columns, rows } = shape
  const blockAt = (bytes: Uint8Array, row: number): Uint8Array => {
    const at = (row * columns + column) * blockBytes
    return bytes.subarray(at, at + blockBytes)
  }
  const damagedRows = damaged.map((block) => Math.floor(block / columns))
  for (const row of damagedRows) blockAt(pack, row).fill(0) // contributes nothing
  const parityRows = soundParityRows(column, isBlockSound, columns).slice(0, damaged.length)
  const all = Array.from({ length: rows }, (_, row) => row)
  const sums = Buffer.concat(parityRows.map((row) => blockAt(parity, row)))
  addProducts(matrix(parityRows, all), Buffer.concat(all.map((row) => blockAt(pack, row))), sums, blockBytes)
  const healed = new Uint8Array(damaged.length * blockBytes)
  addProducts(invert(matrix(parityRows, damagedRows), damaged.length), sums, healed, blockBytes)
  for (const [i, row] of damagedRows.entries())
    blockAt(pack, row).set(healed.subarray(i * blockBytes, (i + 1) * blockBytes))
}

const matrix = (parityRows: readonly number[], rows: readonly number[]): Uint8Array =>
  Uint8Array.from(parityRows.flatMap((parityRow) => rows.map((row) => coefficient(parityRow, row))))

/** Rows of the parity blocks of a column that can be used. */
function soundParityRows(column: number, isBlockSound: readonly boolean[], columns: number): number[] {
  const rows: number[] = []
  for (let row = 0; row * columns < isBlockSound.length; row++) if (isBlockSound[row * columns + column]) rows.push(row)
  return rows
}

function byColumn(blocks: readonly number[], columns: number): Map<number, number[]> {
  const found = new Map<number, number[]>()
  for (const block of blocks) {
    const column = found.get(block % columns)
    if (column) column.push(block)
    else found.set(block % columns, [block])
  }
  return found
}
