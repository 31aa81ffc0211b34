/** Measures how costs grow: npm run bench:scale -- --help. Runs in the root of the repository. */
import { mkdir, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { commandLine, parseCount, parseNames } from './options.ts'
import { describeMachine } from './report/machine.ts'
import { scaleFiles, scaleSize } from './scale/backups.ts'
import type { Dimension } from './scale/curves.ts'
import { scaleIndex } from './scale/index.ts'
import { plotGroup, renderDimension } from './scale/report.ts'
import { withScratch } from './scratch.ts'

const DIMENSIONS = ['size', 'files', 'index'] as const
const FULL = { sizes: [0.5e9, 1e9, 2e9, 4e9, 8e9], files: [1e3, 1e4, 5e4, 2e5], chunks: [1e5, 1e6, 1e7], rounds: 3 }
const QUICK = { sizes: [0.1e9, 0.2e9, 0.4e9], files: [1e3, 4e3, 1e4], chunks: [5e4, 1e5, 3e5], rounds: 1 }
/** Source and repository together, as a multiple of the largest source. */
const ROOM = 2.2

const program = new Command('npm run bench:scale --')
  .description(
    'Measures time, CPU time and peak memory of backups against the size of the source and the number of files, and of ' +
      'the index against its chunks; fits lines and draws them. Takes about half an hour and 18 GB.',
  )
  .option('--only <dimensions>', `some of ${DIMENSIONS.join(',')}`, parseNames(DIMENSIONS), [...DIMENSIONS])
  .option('--quick', 'small sizes only, for a rough look: a minute or two', false)
  .option('--rounds <number>', 'how often each backup is measured (default: 3, with --quick 1)', parseCount)
  .option('--seed <number>', 'what the data follow from', parseCount, 1)
  .option('--dir <dir>', 'where there is room', tmpdir())
  .option('--output <file>', 'the report; plots go to plots/ beside it', 'bench/SCALE.md')
  .parse()
const { only, quick, seed, dir, output } = program.opts()
const { sizes, files, chunks, rounds } = { ...(quick ? QUICK : FULL), ...program.opts<{ rounds?: number }>() }

const dimensions = await withScratch(dir, async (scratch) => {
  await requireRoom(scratch, ROOM * Math.max(...sizes))
  const report = (line: string): void => console.error(line)
  const options = { dir: scratch, seed, rounds, report }
  const measured: Dimension[] = []
  if (only.includes('size')) measured.push(await scaleSize(sizes, options))
  if (only.includes('files')) measured.push(await scaleFiles(files, options))
  if (only.includes('index')) measured.push(await scaleIndex(chunks, options))
  return measured
})

const plots = join(dirname(output), 'plots')
await mkdir(plots, { recursive: true })
for (const dimension of dimensions)
  for (const group of dimension.groups)
    await writeFile(join(plots, `scale-${group.id}.svg`), plotGroup(group, dimension))
const report = [
  '# How costs grow',
  `\`${commandLine('bench:scale')}\`: medians of ${rounds} measurements, and the lines of least squares through all of them. Page cache warm.`,
  describeMachine(new Date()).join('\n'),
  ...dimensions.map((dimension) => renderDimension(dimension, ({ id }) => `plots/scale-${id}.svg`)),
].join('\n\n')
console.log(report)
await writeFile(output, `${report}\n`)

async function requireRoom(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(path)
  if (bavail * bsize < bytes)
    throw new Error(`${dir} has room for ${bavail * bsize} bytes, and this takes ${bytes}; choose another --dir`)
}
