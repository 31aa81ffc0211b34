import { ChainkeepError } from '../../base/errors.ts'
import { parityState, setParity } from '../../maintain/set-parity.ts'
import { defineVerb, type Verb } from '../command.ts'
import { tellParitySet, tellParityState } from '../describe-parity.ts'
import { EXIT } from '../exit-codes.ts'
import { parseParity } from '../sizes.ts'

export const parity: Verb = defineVerb({
  description: `Keeps so many percents of parity beside each pack, from which "chainkeep repair packs" heals it, byte for
byte, as long as not more than that share of it is damaged. It is written for all packs that have less, each of
which is read and checked before, and from now on with every new one. 0 removes all parity. Without PERCENT: tells
how much there is.`,
  arguments: [['[percent]', 'a whole number from 0 to 100']],
  examples: [
    ['chainkeep parity', 'see how much there is'],
    ['chainkeep parity 10', 'survive the loss of a tenth of any pack'],
    ['chainkeep parity 0', 'remove it, and write no more'],
  ],
  exitCodes: [10, 11],
  interrupted: 'what is written stays; the same command goes on with the rest',
  async run({ io, output, openRepository }, _options, [text]) {
    const percent = text === undefined ? undefined : parseParity(text)
    if (text !== undefined && percent === undefined)
      throw new ChainkeepError('USAGE', `"${text}" is not a whole number of percents from 0 to 100`)
    await using repository = await openRepository()
    if (percent === undefined) {
      tellParityState(output, await parityState(repository))
      return EXIT.done
    }
    const result = await setParity(repository, percent, { progress: output.progress, signal: io.signal })
    tellParitySet(output, result)
    return result.damaged.length > 0 ? EXIT.failed : EXIT.done
  },
})
