/** Makes a node's data directory that every run makes alike: npm run bench:data -- --help */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { Command } from 'commander'
import { advanceHour, makeNodeData, makeSmallFiles } from './node/make.ts'
import { parseCount, sizeOption } from './options.ts'
import { formatMegabytes } from './report/units.ts'

const program = new Command('npm run bench:data --')
  .description(
    'Makes the data directory of a node, byte for byte the same for the same seed, and lets hours pass in it.',
  )
  .argument('<dir>', 'where; if it is there already, only hours pass')
  .addOption(sizeOption('--size <size>', 'about how much it is to hold', '2G'))
  .option('--seed <number>', 'what everything follows from', parseCount, 1)
  .option('--hours <number>', 'how many are to pass afterwards', parseCount, 0)
  .option('--small-files <number>', 'how many to make in DIR-small-files, a directory of their own', parseCount, 0)
  .option('--no-xor', 'leave blocks as they are, as Bitcoin Core did before version 28')
  .option('--threads <number>', 'how many work at once', parseCount, availableParallelism())
  .parse()
const [dir] = program.processedArgs as [string]
const { size, seed, hours, smallFiles, xor, threads } = program.opts()

if (!existsSync(dir)) {
  const started = performance.now()
  const { blkBytes, revBytes } = await makeNodeData(dir, { seed, bytes: size, xor, threads })
  const seconds = (performance.now() - started) / 1000
  const share = ((100 * revBytes) / blkBytes).toFixed(1)
  const speed = formatMegabytes(size / seconds)
  console.log(
    `${dir}: ${formatMegabytes(blkBytes)} of blocks, undo data ${share} % of that, in ${seconds.toFixed(1)} s (${speed}/s)`,
  )
}
for (let hour = 1; hour <= hours; hour++) {
  const { blkBytes, revBytes } = await advanceHour(dir)
  console.log(`hour ${hour}: ${blkBytes + revBytes} bytes truly new (blk ${blkBytes}, rev ${revBytes})`)
}
if (smallFiles > 0) await makeSmallFiles(`${dir}-small-files`, seed, smallFiles, threads)
