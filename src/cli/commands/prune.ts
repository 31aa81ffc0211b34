import { Option } from 'commander'
import { prune as runPrune } from '../../maintain/prune.ts'
import { defineVerb, type Verb } from '../command.ts'
import { tellPruned } from '../describe-prune.ts'
import { EXIT } from '../exit-codes.ts'
import { limitsOf, type PruneValues, pruneOptions } from '../prune-options.ts'

interface Options extends PruneValues {
  readonly dryRun?: boolean
}

export const prune: Verb = defineVerb<Options>({
  description: `Frees the space of what no snapshot needs any more. Packs that nothing needs are removed, wasteful
ones are written again without the waste. Backups and restores may go on meanwhile: what they may rely on
is condemned only, and removed by a later prune. Stopped at any moment it loses nothing.`,
  options: [new Option('-n, --dry-run', 'change nothing, tell only what would be done'), ...pruneOptions()],
  examples: [
    ['chainkeep prune --dry-run', 'see what would be freed'],
    ['chainkeep prune --max-unused 0', 'free every byte, where usually 5 % may stay'],
    ['chainkeep prune --grace 3d', 'remove only what was condemned three days ago, and condemn the rest'],
    ['chainkeep prune --grace 0', 'remove all of it now, or fail if somebody else is at work'],
  ],
  exitCodes: [10, 11],
  async run({ io, output, openRepository }, options) {
    await using repository = await openRepository()
    const result = await runPrune(repository, {
      ...limitsOf(options, io.now()),
      dryRun: options.dryRun,
      progress: output.progress,
      signal: io.signal,
    })
    tellPruned(output, result)
    return EXIT.done
  },
})
