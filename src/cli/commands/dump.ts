import { byteStringOf, displayBytes } from '../../base/bytes.ts'
import { ChainkeepError } from '../../base/errors.ts'
import { dumpFile } from '../../browse/dump.ts'
import { findEntry } from '../../browse/entries.ts'
import { defineVerb, type Verb } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { type FilterValues, filterOf, filterOptions, findSnapshotPath } from '../select-snapshots.ts'

export const dump: Verb = defineVerb<FilterValues>({
  description: 'Writes one file of a snapshot to stdout. Filters narrow "latest".',
  arguments: [
    ['<id[:path]>', 'the snapshot, and a directory in it'],
    ['<path>', 'the path of the file, from there'],
  ],
  options: filterOptions(),
  examples: [
    ['chainkeep dump latest /var/lib/litecoin/litecoin.conf', 'read a file'],
    ['chainkeep dump latest:/var/lib/litecoin wallet.dat > wallet.dat', 'get a file back'],
  ],
  exitCodes: [10],
  async run({ io, output, openToRead }, options, [text, name]) {
    await using repository = await openToRead()
    const { snapshot, path: directory } = await findSnapshotPath(repository, text!, filterOf(io, options))
    const path = byteStringOf(`/${[...directory.split('/'), ...name!.split('/')].filter((part) => part).join('/')}`)
    const entry = await findEntry(repository.load, snapshot.tree, path)
    if (entry === '/' || entry.node.type !== 'file')
      throw new ChainkeepError(
        'USAGE',
        `${displayBytes(path)} is not a file: "chainkeep restore ${text} --include ${displayBytes(path)}" gets it back`,
        { path },
      )
    for await (const bytes of dumpFile(repository.load, entry.node)) await output.bytes(bytes)
    return EXIT.done
  },
})
