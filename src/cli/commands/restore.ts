import { Option } from 'commander'
import { ChainkeepError } from '../../base/errors.ts'
import type { OverwriteMode } from '../../restore/options.ts'
import { restore as runRestore } from '../../restore/restorer.ts'
import {
  choiceOption,
  defineVerb,
  missing,
  repeatableOption,
  resolvePath,
  threadsOption,
  type Verb,
} from '../command.ts'
import { tellRestored, tellRestoredItem } from '../describe-restore.ts'
import { EXIT } from '../exit-codes.ts'
import { type FilterValues, filterOf, filterOptions, findSnapshotPath } from '../select-snapshots.ts'

interface Options extends FilterValues {
  readonly target?: string
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  readonly overwrite?: OverwriteMode
  readonly delete?: boolean
  readonly sparse?: boolean
  readonly verify?: boolean
  readonly dryRun?: boolean
  readonly threads?: number
}

export const restore: Verb = defineVerb<Options>({
  description: `Writes what is in a snapshot to a directory. With ID:path, what is in that directory goes right into the target. Into a directory that holds files already, only what differs is written. Filters narrow "latest".`,
  arguments: [['<id[:path]>', "the first digits of a snapshot's id, latest, or latest~N"]],
  options: [
    new Option('-t, --target <dir>', 'where to (required)'),
    repeatableOption('-i, --include <pattern>', 'only what fits (may be repeated)'),
    repeatableOption('-e, --exclude <pattern>', 'all but what fits (may be repeated)'),
    choiceOption('--overwrite <when>', 'which existing files are brought up to date', [
      'always',
      'if-changed',
      'never',
    ]),
    new Option('--delete', 'delete what is in the target and not in the snapshot'),
    new Option('--sparse', 'make holes of zeros, in every file'),
    new Option('--verify', 'read every file back and compare'),
    new Option('-n, --dry-run', 'change nothing, tell only what would be done'),
    threadsOption(),
    ...filterOptions(),
  ],
  examples: [
    ['chainkeep restore latest --target /srv/restored', 'everything, below its full path'],
    ['chainkeep restore latest:/var/lib/litecoin --target /var/lib/litecoin --delete', 'a data directory, as it was'],
    ['chainkeep restore 1a2b3c4d -t /tmp/x --include wallet.dat', 'one file of an older snapshot'],
    ['chainkeep restore latest~1:/var/lib/litecoin -t /var/lib/litecoin -n', 'see what would be written'],
  ],
  exitCodes: [10],
  interrupted: 'the same command goes on from here',
  async run({ io, output, openToRead }, options, [text]) {
    if (!options.target) throw missing('--target <dir>', 'where to', 'restore')
    const startMs = io.now()
    await using repository = await openToRead()
    const { id, snapshot, path } = await findSnapshotPath(repository, text!, filterOf(io, options))
    const result = await runRestore(repository, snapshot, {
      target: resolvePath(io, options.target),
      path,
      include: options.include,
      exclude: options.exclude,
      overwrite: options.overwrite,
      deleteExtra: options.delete,
      sparse: options.sparse,
      verify: options.verify,
      dryRun: options.dryRun,
      threads: options.threads,
      progress: output.progress,
      signal: io.signal,
      onFailure: (failure) => output.failure(failure.path, failure.reason, 'restore'),
      onItem: (item) => tellRestoredItem(output, item, options.dryRun === true),
    })
    if (options.include && Object.values(result).every((count) => count === 0))
      throw new ChainkeepError('NOT_FOUND', 'nothing in the snapshot fits --include')
    const durationMs = io.now() - startMs
    tellRestored(output, result, { id, target: options.target, dryRun: options.dryRun === true, durationMs })
    return result.failureCount > 0 ? EXIT.failed : EXIT.done
  },
})
