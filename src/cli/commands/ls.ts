import { Option } from 'commander'
import { displayBytes } from '../../base/bytes.ts'
import { listEntries } from '../../browse/entries.ts'
import { defineVerb, type Verb } from '../command.ts'
import { entryToJson, formatLong } from '../describe-node.ts'
import { snapshotToJson } from '../describe-snapshot.ts'
import { EXIT } from '../exit-codes.ts'
import { type FilterValues, filterOf, filterOptions, findSnapshotPath } from '../select-snapshots.ts'

interface Options extends FilterValues {
  readonly long?: boolean
  readonly recursive?: boolean
}

export const ls: Verb = defineVerb<Options>({
  description:
    'Lists what is in a snapshot: everything, or with a path what is directly in that directory. Filters narrow "latest".',
  arguments: [['<id[:path]>', "the first digits of a snapshot's id, latest, or latest~N"]],
  options: [
    new Option('-l, --long', 'with permissions, owner, size and time'),
    new Option('-R, --recursive', 'with a path, too: everything below it'),
    ...filterOptions(),
  ],
  examples: [
    ['chainkeep ls latest', 'everything in the latest snapshot'],
    ['chainkeep ls --long latest:/var/lib/litecoin/blocks', 'one directory, with sizes and times'],
    ['chainkeep ls --recursive latest~1:/var/lib/litecoin', 'everything below a directory, one snapshot earlier'],
  ],
  exitCodes: [10],
  async run({ io, output, openToRead }, options, [text]) {
    await using repository = await openToRead()
    const { path, ...stored } = await findSnapshotPath(repository, text!, filterOf(io, options))
    const recursive = options.recursive === true || path === '/'
    output.json({ message_type: 'snapshot', struct_type: 'snapshot', ...snapshotToJson(stored) })
    for await (const entry of listEntries(repository.load, stored.snapshot.tree, path, { recursive })) {
      output.json({ message_type: 'node', struct_type: 'node', ...entryToJson(entry) })
      output.print(options.long ? formatLong(entry) : displayBytes(entry.path))
    }
    return EXIT.done
  },
})
