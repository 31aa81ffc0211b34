/**
 * MB/s of packs for which parity is computed, on one core: by each implementation of `addProducts`. The best of rounds
 * that alternate.
 */
import { randomBytes } from 'node:crypto'
import { cpus } from 'node:os'
import { loadAddon } from '../src/native/kernel.ts'
import { type AddProducts, addProductsByTable } from '../src/native/products.ts'

const ROWS = 128
console.log(`${cpus()[0]?.model}, Node ${process.version}: MB/s of packs`)
const implementations: Record<string, AddProducts> = { ...loadAddon()?.addProducts, TypeScript: addProductsByTable }

for (const [packBytes, percent] of [
  [32 * 2 ** 20, 5],
  [32 * 2 ** 20, 10],
  [32 * 2 ** 20, 25],
  [33 * 2 ** 20, 10],
  [2 ** 20, 10],
] as const) {
  const pack = new Uint8Array(randomBytes(packBytes))
  const targetRows = Math.ceil((ROWS * percent) / 100)
  const coefficients = new Uint8Array(randomBytes(ROWS * targetRows))
  const targets = new Uint8Array((packBytes / ROWS) * targetRows)
  const best = new Map<string, number>()
  for (let round = 0; round < 5; round++)
    for (const [name, add] of Object.entries(implementations)) {
      if (name === 'TypeScript' && round > 1) continue
      const start = performance.now()
      add(coefficients, pack, targets, packBytes / ROWS)
      best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, performance.now() - start))
    }
  const columns = [...best].map(([name, ms]) => `${name} ${Math.round(packBytes / 1000 / ms)}`)
  console.log(
    `${packBytes / 2 ** 20} MiB, ${percent} %`.padEnd(16),
    columns.map((column) => column.padEnd(16)).join(' '),
  )
}
