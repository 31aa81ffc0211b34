/** Measures the parts that everything is made of: npm run bench:micro -- --help. Runs in the root of the repository. */
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { Command } from 'commander'
import { loadAddon } from '../src/native/kernel.ts'
import { raceChecksum } from './micro/checksum.ts'
import { raceCompress } from './micro/compress.ts'
import { raceCopying } from './micro/copying.ts'
import { raceHash } from './micro/hash.ts'
import { raceIndex } from './micro/index.ts'
import { racePacks } from './micro/packs.ts'
import { raceParity } from './micro/parity.ts'
import { measureProtecting } from './micro/protecting.ts'
import { raceScan } from './micro/scan.ts'
import { type MicroTable, renderTable } from './micro/table.ts'
import { raceWriting } from './micro/writing.ts'
import { commandLine, parseCount, parseNames } from './options.ts'
import { describeMachine } from './report/machine.ts'

const PARTS = [
  'scan',
  'hash',
  'checksum',
  'copying',
  'compress',
  'parity',
  'protecting',
  'packs',
  'writing',
  'index',
] as const

const program = new Command('npm run bench:micro --')
  .description(
    'Measures finding cuts, hashing, checksums, copying, compressing, parity, packs, writing them and the index, by every implementation there is; and what parity costs.',
  )
  .option('--only <parts>', `some of ${PARTS.join(',')}`, parseNames(PARTS), [...PARTS])
  .option('--objects <number>', 'how many the index has', parseCount, 1_000_000)
  .option('--quick', 'less of everything, for a rough look', false)
  .option('--dir <dir>', 'where packs and the index are written', tmpdir())
  .option('--output <file>', 'where the tables go', 'bench/MICRO.md')
  .parse()
const { only, objects, quick, dir, output } = program.opts()

const options = quick ? { rounds: 2, leastMs: 20 } : { rounds: 7, leastMs: 100 }
const addon = loadAddon()
const races: Record<(typeof PARTS)[number], () => Promise<MicroTable>> = {
  scan: () => raceScan(addon, options),
  hash: () => raceHash(addon, options),
  checksum: () => raceChecksum(addon, options),
  copying: () => raceCopying(options),
  compress: () => raceCompress(options),
  parity: () => raceParity(addon, options),
  protecting: () => measureProtecting(dir, quick ? 100e6 : 500e6, options.rounds),
  packs: () => racePacks(dir, options),
  writing: () => raceWriting(dir, options),
  index: () => raceIndex(dir, quick ? objects / 10 : objects),
}

const head = [
  '# Parts',
  `\`${commandLine('bench:micro')}\`: the best of ${options.rounds} rounds, in which implementations take turns.`,
  describeMachine(new Date()).join('\n'),
  ...(addon ? [] : ['The kernel was not built: only what works without it.']),
]
console.log(head.join('\n\n'))
const tables: string[] = []
for (const part of PARTS.filter((part) => only.includes(part))) {
  tables.push(renderTable(await races[part]()))
  console.log(`\n${tables.at(-1)}`)
}
await writeFile(output, `${[...head, ...tables].join('\n\n')}\n`)
