import { appendFileSync, linkSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Dice } from '../../bench/node/random.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

/** A node's data directory in small, some 150 KB. `scale` multiplies the lengths of its files. */
export function makeSource(source: string, scale = 1): void {
  const at = (...names: string[]): string => join(source, ...names)
  for (const directory of ['blocks', 'chainstate', 'empty']) mkdirSync(at(directory))
  writeFileSync(at('blocks', 'blk00000.dat'), seededBytes('block 0', 20_000 * scale))
  writeFileSync(at('blocks', 'blk00001.dat'), seededBytes('block 1', 80_000 * scale))
  for (let i = 0; i < 4; i++) writeFileSync(at('chainstate', `00000${i}.ldb`), seededBytes(`table ${i}`, 8_000 * scale))
  writeFileSync(at('debug.log'), 'UpdateTip: new best\n'.repeat(1000 * scale))
  writeFileSync(at('wallet.dat'), 'a wallet', { mode: 0o600 })
  linkSync(at('wallet.dat'), at('wallet.bak'))
  symlinkSync('blocks/blk00001.dat', at('latest'))
  writeFileSync(at('empty.dat'), '')
}

/** What an hour does to it: a file grows, tables come and go, a small one is written anew. */
export function growSource(source: string, hour: number, scale = 1): void {
  const at = (...names: string[]): string => join(source, ...names)
  appendFileSync(at('blocks', 'blk00001.dat'), seededBytes(`grown ${hour}`, 30_000 * scale))
  rmSync(at('chainstate', `00000${hour - 1}.ldb`), { force: true })
  writeFileSync(at('chainstate', `00000${hour + 3}.ldb`), seededBytes(`table of hour ${hour}`, 8_000 * scale))
  writeFileSync(at('wallet.dat'), `a wallet at hour ${hour}`)
}

/** Some change or other of a directory of files, so that they never hold more than `mib` MiB together. */
export function churn(source: string, dice: Dice, mib: number): void {
  const paths = readdirSync(source).map((name) => join(source, name))
  const sizes = paths.map((path) => statSync(path).size)
  const room = mib * MIB - sizes.reduce((sum, size) => sum + size, 0)
  const bytes = seededBytes(dice(2 ** 30), 1 + dice(Math.ceil((mib * MIB) / 8)))
  const path = paths[dice(paths.length)] ?? join(source, 'first')
  if (room < bytes.length) rmSync(path)
  else if (dice(2) === 0) appendFileSync(path, bytes)
  else writeFileSync(join(source, `file-${dice(1000)}`), bytes)
  writeFileSync(join(source, 'log'), `${dice(2 ** 30)} `.repeat(1 + dice(100_000)))
}

const MIB = 2 ** 20
