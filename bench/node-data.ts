/**
 * Makes a node's data directory that every run makes alike:
 * npm run bench:data -- DIR --size 2G --seed 1 [--hours N] [--small-files 20000] [--no-xor]
 *
 * If DIR is there already, it only lets the hours pass. Small files go to DIR-small-files, a directory of their own.
 */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { advanceHour, makeNodeData } from './node/make.ts'
import { makeSmallFiles } from './node/small-files.ts'
import { formatMegabytes, parseSize } from './size.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    size: { type: 'string', default: '2G' },
    seed: { type: 'string', default: '1' },
    hours: { type: 'string', default: '0' },
    'small-files': { type: 'string', default: '0' },
    xor: { type: 'boolean', default: true },
  },
})
const dir = positionals[0]
if (dir === undefined) throw new RangeError('which directory?')
const seed = Number(values.seed)

if (!existsSync(dir)) {
  const started = performance.now()
  const { blkBytes, revBytes } = await makeNodeData(dir, { seed, bytes: parseSize(values.size), xor: values.xor })
  const seconds = (performance.now() - started) / 1000
  const share = ((100 * revBytes) / blkBytes).toFixed(1)
  console.log(
    `${dir}: ${formatMegabytes(blkBytes)} of blocks, undo data ${share} % of that, in ${seconds.toFixed(1)} s`,
  )
}
for (let hour = 1; hour <= Number(values.hours); hour++) {
  const { blkBytes, revBytes } = await advanceHour(dir)
  console.log(`hour ${hour}: ${blkBytes + revBytes} bytes truly new (blk ${blkBytes}, rev ${revBytes})`)
}
const smallFiles = Number(values['small-files'])
if (smallFiles > 0) await makeSmallFiles(`${dir}-small-files`, seed, smallFiles)
