import { randomBytes } from 'node:crypto'
import { Option } from 'commander'
import { ChainkeepError } from '../../base/errors.ts'
import { check as runCheck } from '../../maintain/check.ts'
import type { ReadData } from '../../maintain/read-data.ts'
import { defineVerb, parsedOption, threadsOption, type Verb } from '../command.ts'
import { tellCheck } from '../describe-check.ts'
import { EXIT } from '../exit-codes.ts'
import { parsePercent, parseSize } from '../sizes.ts'

interface Options {
  readonly readData?: boolean
  readonly readDataSubset?: ReadData
  readonly threads?: number
}

export const check: Verb = defineVerb<Options>({
  description: `Looks for damage: that every snapshot, tree and list can be read, that every chunk is in a pack, and that
every pack is whole. The data itself is read only if asked for: all of it, or a part each time.`,
  options: [
    new Option('--read-data', 'read all data, and check every byte'),
    parsedOption(
      '--read-data-subset <part>',
      'read part n of t (n/t), a random share (p%), or random packs of a size (10G)',
      parseSubset,
      'Give for example 1/12, 5% or 10G.',
    ),
    threadsOption(),
  ],
  examples: [
    ['chainkeep check', 'everything but the data'],
    ['chainkeep check --read-data', 'the data, too'],
    ['chainkeep check --read-data-subset 3/12', 'a twelfth of it: in March'],
    ['chainkeep check --read-data-subset 5%', 'some of it, chosen at random'],
  ],
  exitCodes: [10],
  async run({ io, output, openRepository }, { readData, readDataSubset, threads }) {
    if (readData && readDataSubset) throw new ChainkeepError('USAGE', 'give either --read-data or --read-data-subset')
    const startMs = io.now()
    await using repository = await openRepository()
    const report = await runCheck(repository, {
      readData: readData ? 'all' : readDataSubset,
      threads,
      progress: output.progress,
      signal: io.signal,
    })
    tellCheck(output, report, { readData: readData ? 'all' : readDataSubset, durationMs: io.now() - startMs })
    return report.healthy ? EXIT.done : EXIT.failed
  },
})

function parseSubset(text: string): ReadData | undefined {
  const fraction = /^(\d{1,6})\/(\d{1,6})$/.exec(text)
  if (fraction) {
    const [part, of] = [Number(fraction[1]), Number(fraction[2])]
    return part >= 1 && part <= of ? { part, of } : undefined
  }
  const seed = randomBytes(8).toString('hex')
  const share = parsePercent(text)
  if (share !== undefined) return share > 0 ? { share, seed } : undefined
  const bytes = parseSize(text)
  return bytes ? { bytes, seed } : undefined
}
