import { readFile } from 'node:fs/promises'
import { Option } from 'commander'
import { type BackupOptions, backup as runBackup } from '../../backup/archiver.ts'
import { resolveSources } from '../../backup/sources.ts'
import type { ByteString } from '../../base/bytes.ts'
import { ChainkeepError, fileError, isCode } from '../../base/errors.ts'
import type { SnapshotKind } from '../../format/snapshot.ts'
import type { Effort } from '../../native/compress.ts'
import { findSnapshot } from '../../repository/snapshots.ts'
import {
  absolutePath,
  type Context,
  choiceOption,
  defineVerb,
  missing,
  parsedOption,
  repeatableOption,
  resolvePath,
  threadsOption,
  type Verb,
} from '../command.ts'
import { parseCompression } from '../compression.ts'
import { createRepository } from '../create-repository.ts'
import { tellItem, tellSummary } from '../describe-backup.ts'
import { EXIT } from '../exit-codes.ts'
import { splitCommas } from '../select-snapshots.ts'
import { parseTime } from '../times.ts'

interface Options {
  readonly type?: SnapshotKind
  readonly parent?: string
  readonly tag?: readonly string[]
  readonly host?: string
  readonly time?: string
  readonly exclude?: readonly string[]
  readonly excludeFile?: readonly string[]
  readonly excludeIfPresent?: readonly string[]
  readonly oneFileSystem?: boolean
  readonly appendOnly?: readonly string[]
  readonly skipIfUnchanged?: boolean
  readonly dryRun?: boolean
  readonly threads?: number
  readonly stdin?: boolean
  readonly stdinFilename?: string
  readonly init?: boolean
  readonly compression?: Effort
}

export const backup: Verb = defineVerb<Options>({
  description: `Stores paths in a new snapshot. Only what the repository does not hold yet is added to it.

  incremental    trusts size, times and inode of each file against the latest snapshot of the same host and paths
  differential   the same against the latest full one
  full           reads every file again, and so finds a change that keeps size and times

Every snapshot is complete: each can be restored without the others.

Of files that are only ever appended to and have grown, only the new part is read, and samples of the old: block and undo files of
Bitcoin Core and its kin, geth's ancient store, and what --append-only says. Full reads all of them.

A backup that did not finish is continued by the next one of the same paths: what it has read and stored is not read again.`,
  arguments: [['[path...]', 'files and directories']],
  options: [
    choiceOption('--type <kind>', 'what changes are detected against', ['incremental', 'differential', 'full']),
    new Option('--parent <id>', 'detect changes against this snapshot'),
    repeatableOption('--tag <tag,...>', 'tag the snapshot (may be repeated)'),
    parsedOption(
      '-H, --host <name>',
      'the host to record, instead of this one',
      (text) => text || undefined,
      'It must not be empty.',
    ),
    new Option('--time <time>', 'the time to record: now, or as 2026-11-21 07:00:00 or ISO 8601'),
    repeatableOption('-e, --exclude <pattern>', 'leave out what fits (may be repeated)'),
    repeatableOption(
      '--exclude-file <file>',
      'leave out what fits the patterns in this file, one a line (may be repeated)',
    ),
    repeatableOption(
      '--exclude-if-present <name>',
      'leave out directories that contain a file of this name (may be repeated)',
    ),
    new Option('-x, --one-file-system', 'stay on the file systems that the paths are on'),
    repeatableOption(
      '--append-only <pattern>',
      'read only what is new of these files, too; with a leading ! all of them again (may be repeated)',
    ),
    new Option('--skip-if-unchanged', 'make no snapshot if it would be the same as its parent'),
    new Option('-n, --dry-run', 'store nothing, tell only what would be done'),
    new Option('--stdin', 'store what is read from stdin, as one file'),
    new Option('--stdin-filename <path>', 'what to call it (default: stdin)'),
    new Option('--init', 'create the repository if there is none'),
    parsedOption(
      '--compression <level>',
      'auto, off, fast, better, max, or a zstd level from -7 to 19',
      parseCompression,
      'It is auto, off, fast, better, max, or a number from -7 to 19.',
    ),
    threadsOption(),
  ],
  examples: [
    ['chainkeep backup /var/lib/litecoin', 'store what is new since the last backup'],
    ['chainkeep backup --type full --tag weekly /var/lib/litecoin', 'read everything again, and remember why'],
    ['chainkeep backup -e debug.log -e "*.lock" /var/lib/litecoin', 'without the log and the locks'],
    ['pg_dump mainnet | chainkeep backup --stdin --stdin-filename mainnet.sql', 'store what another program writes'],
  ],
  exitCodes: [3, 10, 11],
  interrupted: 'what is stored already will be used by the next backup',
  async run(context, options, paths) {
    const { io, output } = context
    if (options.stdin && paths.length > 0) throw new ChainkeepError('USAGE', 'with --stdin there are no paths')
    if (!options.stdin && paths.length === 0) throw missing('<path>', 'what is to be backed up', 'backup')
    if (options.stdinFilename !== undefined && !options.stdin)
      throw new ChainkeepError('USAGE', '--stdin-filename names what is read from stdin: give --stdin, too')
    const backupOptions = toBackupOptions(context, options, paths)
    const excludes = [...(await readExcludeFiles(context, options.excludeFile)), ...(options.exclude ?? [])]
    await using repository = await openOrCreate(context, options, backupOptions.paths)
    const result = await runBackup(repository, {
      ...backupOptions,
      excludes,
      parent: options.parent === undefined ? undefined : (await findSnapshot(repository, options.parent)).id,
      progress: output.progress,
      signal: io.signal,
      onFailure: ({ path, reason }) => output.failure(path, reason, 'archival'),
      onItem: (item) => tellItem(output, item),
    })
    tellSummary(output, result, options.dryRun === true)
    return result.snapshot.failureCount > 0 ? EXIT.incomplete : EXIT.done
  },
})

async function openOrCreate(
  context: Context,
  { init, dryRun }: Options,
  paths: readonly ByteString[],
): ReturnType<Context['openRepository']> {
  try {
    return await context.openRepository()
  } catch (error) {
    if (!isCode(error, 'NO_REPOSITORY') || !init || dryRun) throw error
    if (paths.length > 0) resolveSources(paths, undefined, () => {}) // a repository with nothing to put into it would be left
    context.output.notice((await createRepository(context)).message)
    return await context.openRepository()
  }
}

function toBackupOptions({ io }: Context, options: Options, paths: readonly string[]): BackupOptions {
  const timeMs = options.time === undefined ? undefined : parseTime(options.time, io.now())
  if (options.time !== undefined && timeMs === undefined)
    throw new ChainkeepError('USAGE', `"${options.time}" is not a time: give now, or for example 2026-11-21 07:00:00`)
  return {
    paths: paths.map((path) => absolutePath(io, path)),
    kind: options.type,
    tags: options.tag?.flatMap(splitCommas),
    host: options.host,
    timeMs,
    excludeIfPresent: options.excludeIfPresent,
    oneFileSystem: options.oneFileSystem,
    appendOnly: options.appendOnly,
    skipIfUnchanged: options.skipIfUnchanged,
    dryRun: options.dryRun,
    stdin: options.stdin
      ? { source: io.stdin, filename: absolutePath({ cwd: '/' }, options.stdinFilename ?? 'stdin') }
      : undefined,
    effort: options.compression,
    threads: options.threads,
  }
}

/** One pattern a line; empty lines and those that begin with # say nothing. */
async function readExcludeFiles({ io }: Context, files: readonly string[] = []): Promise<string[]> {
  const patterns: string[] = []
  for (const file of files) {
    const text = await readFile(resolvePath(io, file), 'utf8').catch((error: unknown) => {
      throw fileError(`cannot read ${file}`, error)
    })
    for (const line of text.split('\n').map((each) => each.trim()))
      if (line !== '' && !line.startsWith('#')) patterns.push(line)
  }
  return patterns
}
