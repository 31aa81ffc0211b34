import { randomBytes } from 'node:crypto'
import type { Addon } from '../../src/native/kernel.ts'
import { type AddProducts, addProductsByTable } from '../../src/native/products.ts'
import { type RaceOptions, race } from './race.ts'
import { type MicroRow, type MicroTable, megabytesASecond } from './table.ts'

const ROWS = 128
const PACK_BYTES = 32 << 20
/** TypeScript does less, or it would take minutes. */
const FEW_BYTES = 1 << 20

/** Parity of a pack, as bytes of the pack, by every path. */
export async function raceParity(addon: Addon | undefined, options: RaceOptions): Promise<MicroTable> {
  const pack = new Uint8Array(randomBytes(PACK_BYTES))
  const ways: Record<string, AddProducts> = { ...addon?.addProducts, TypeScript: addProductsByTable }
  const rows: MicroRow[] = []
  for (const percent of [5, 10, 25, 100]) {
    const parityRows = Math.ceil((ROWS * percent) / 100)
    const coefficients = new Uint8Array(randomBytes(ROWS * parityRows))
    const protect = (way: string): number => {
      const bytes = way === 'TypeScript' ? FEW_BYTES : PACK_BYTES
      const length = bytes / ROWS
      ways[way]!(coefficients, pack.subarray(0, bytes), new Uint8Array(parityRows * length), length)
      return bytes
    }
    const names = Object.fromEntries(Object.keys(ways).map((way) => [way, way]))
    rows.push({ name: `${percent} %`, cells: megabytesASecond(await race(names, protect, options)) })
  }
  return { title: 'Parity', note: `MB/s of packs, on one core, without reading and checksums.`, rows }
}
