import { ChainkeepError } from '../../base/errors.ts'
import { shortId } from '../../base/ids.ts'
import { retag } from '../../maintain/retag.ts'
import { defineVerb, missing, repeatableOption, type Verb } from '../command.ts'
import { countOf } from '../describe-snapshot.ts'
import { EXIT } from '../exit-codes.ts'
import { type FilterValues, filterOf, filterOptions, selectSnapshots, splitCommas } from '../select-snapshots.ts'

interface Options extends FilterValues {
  readonly set?: readonly string[]
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
}

export const tag: Verb = defineVerb<Options>({
  description: `Changes the tags of snapshots: of those given, or of all that the filters leave. A snapshot's id is
a hash of what it says, so each changed one gets a new id; the old one stays on record.`,
  arguments: [['[id...]', 'the first digits of their ids, latest, or latest~N']],
  options: [
    repeatableOption('--set <tag,...>', 'give them these tags and no others; "" for none (may be repeated)'),
    repeatableOption('--add <tag,...>', 'add these tags (may be repeated)'),
    repeatableOption('--remove <tag,...>', 'remove these tags (may be repeated)'),
    ...filterOptions(),
  ],
  examples: [
    ['chainkeep tag --add before-upgrade latest', 'mark a snapshot that rules shall keep'],
    ['chainkeep tag --remove old --host db1', 'of all snapshots of a host'],
    ['chainkeep tag --set "" 1a2b3c4d', 'leave no tags'],
  ],
  exitCodes: [10, 11],
  async run({ io, output, openRepository }, options, ids) {
    const { set, add, remove } = options
    if (!set && !add && !remove) throw missing('--add, --remove or --set', 'which tags to change', 'tag')
    if (set && (add || remove)) throw new ChainkeepError('USAGE', '--set goes with neither --add nor --remove')
    const change = {
      set: set?.flatMap(splitCommas),
      add: add?.flatMap(splitCommas),
      remove: remove?.flatMap(splitCommas),
    }
    await using repository = await openRepository()
    const snapshots = await selectSnapshots(repository, ids, filterOf(io, options))
    const changed = await retag(repository, snapshots, change, { signal: io.signal })
    for (const { id, replaced, snapshot } of changed) {
      output.json({ message_type: 'changed', old_snapshot_id: replaced, new_snapshot_id: id })
      output.info(`snapshot ${shortId(replaced)} is now ${shortId(id)}: ${snapshot.tags.join(', ') || 'no tags'}`)
    }
    output.json({ message_type: 'summary', changed_snapshots: changed.length })
    output.info(`${countOf(changed.length, 'snapshot')} changed`)
    return EXIT.done
  },
})
