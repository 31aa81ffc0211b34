import { Option } from 'commander'
import { displayBytes } from '../../base/bytes.ts'
import { shortId } from '../../base/ids.ts'
import { formatTime } from '../../base/local-time.ts'
import { findEntries } from '../../browse/find.ts'
import { compilePatterns } from '../../repository/path-patterns.ts'
import { defineVerb, repeatableOption, type Verb } from '../command.ts'
import { entryToJson, formatLong } from '../describe-node.ts'
import { countOf } from '../describe-snapshot.ts'
import { EXIT } from '../exit-codes.ts'
import { type FilterValues, filterOf, filterOptions, selectSnapshots } from '../select-snapshots.ts'

interface Options extends FilterValues {
  readonly long?: boolean
  readonly snapshot?: readonly string[]
}

export const find: Verb = defineVerb<Options>({
  description:
    'Looks for files in snapshots: in all of them, unless options narrow them. Patterns are those of --exclude. What is found is held in memory: 0.7 KB for each match, twice that with --json.',
  arguments: [['<pattern...>', 'such as *.ldb, blk0000?.dat, /var/lib/**/wallet.dat']],
  options: [
    new Option('-l, --long', 'with permissions, owner, size and time'),
    repeatableOption('-s, --snapshot <id>', 'only in this snapshot (may be repeated)'),
    ...filterOptions(),
  ],
  examples: [
    ['chainkeep find wallet.dat', 'every wallet in every snapshot'],
    ["chainkeep find -l -s latest 'blk*.dat'", 'the block files of the latest snapshot'],
  ],
  exitCodes: [10],
  async run({ io, output, openToRead }, options, patterns) {
    const matcher = compilePatterns(patterns)
    await using repository = await openToRead()
    const snapshots = await selectSnapshots(repository, options.snapshot ?? [], filterOf(io, options))
    const json: unknown[] = []
    let isFound = false
    for await (const { stored, entries } of findEntries(repository.load, snapshots, matcher, io)) {
      if (entries.length === 0) continue
      if (output.isJson) json.push({ matches: entries.map(entryToJson), hits: entries.length, snapshot: stored.id })
      if (isFound) output.print()
      isFound = true
      output.print(
        output.paint.bold(
          `${countOf(entries.length, 'match', 'matches')} in snapshot ${shortId(stored.id)} of ${formatTime(stored.snapshot.timeMs)}`,
        ),
      )
      for (const entry of entries) output.print(options.long ? formatLong(entry) : displayBytes(entry.path))
    }
    if (!isFound) output.info(`no match in ${countOf(snapshots.length, 'snapshot')}`)
    output.json(json)
    return EXIT.done
  },
})
