import { Option } from 'commander'
import { type ByteString, displayBytes } from '../../base/bytes.ts'
import { shortId } from '../../base/ids.ts'
import { type Change, diffTrees, type Modifier } from '../../browse/diff.ts'
import { countChange, type DiffStatistics, emptyDiffStatistics } from '../../browse/diff-statistics.ts'
import { defineVerb, type Verb } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { type Output, type Paint, pathField } from '../output.ts'
import { findTree } from '../select-snapshots.ts'
import { formatSize } from '../sizes.ts'

interface Options {
  readonly metadata?: boolean
}

export const diff: Verb = defineVerb<Options>({
  description: `Tells what differs between two snapshots, or between directories in them.

  +  only in the second
  -  only in the first
  M  content modified
  T  of another type
  U  only metadata updated (with --metadata)`,
  arguments: [
    ['<id[:path]>', 'the first snapshot'],
    ['<id[:path]>', 'the second snapshot'],
  ],
  options: [new Option('--metadata', 'tell also of changed times, owners, permissions and attributes')],
  examples: [
    ['chainkeep diff latest~1 latest', 'what the last backup has changed'],
    ['chainkeep diff 1a2b3c4d:/var/lib/litecoin latest:/var/lib/litecoin', 'in one directory only'],
  ],
  exitCodes: [10],
  async run({ output, openToRead }, { metadata = false }, [first, second]) {
    await using repository = await openToRead()
    const [before, after] = [await findTree(repository, first!), await findTree(repository, second!)]
    output.info(`comparing snapshot ${shortId(before.id)} with ${shortId(after.id)}`)
    output.info()
    const statistics = emptyDiffStatistics()
    let isEqual = true
    for await (const change of diffTrees(repository.load, before.tree, after.tree, after.path)) {
      if (change.modifier === 'U' && !metadata) continue
      isEqual = false
      await countChange(repository.load, statistics, change)
      output.json({ message_type: 'change', ...pathField(displayPath(change)), modifier: change.modifier })
      output.print(
        `${colourOf(change.modifier, output.paint)(change.modifier)}    ${displayBytes(displayPath(change))}`,
      )
    }
    if (!isEqual) output.info()
    printStatistics(output, statistics, before.id, after.id)
    return EXIT.done
  },
})

/** Directories end in a slash, as in restic. */
function displayPath({ path, before, after }: Change): ByteString {
  return ((after ?? before)?.type === 'directory' ? `${path}/` : path) as ByteString
}

function colourOf(modifier: Modifier, { green, red, yellow }: Paint): (text: string) => string {
  return modifier === '+' ? green : modifier === '-' ? red : yellow
}

function printStatistics(output: Output, statistics: DiffStatistics, source: string, target: string): void {
  const { added, removed, changedFiles } = statistics
  const toJson = ({ files, directories, others, bytes }: typeof added): Record<string, number> => ({
    files,
    dirs: directories,
    others,
    bytes,
  })
  output.json({
    message_type: 'statistics',
    source_snapshot: source,
    target_snapshot: target,
    changed_files: changedFiles,
    added: toJson(added),
    removed: toJson(removed),
  })
  const { files, directories, others } = statistics.onlyMetadata
  const metadata = (count: number): string => (count > 0 ? `, ${count} only metadata` : '')
  output.info(`Files:        ${added.files} new, ${removed.files} removed, ${changedFiles} changed${metadata(files)}`)
  output.info(`Directories:  ${added.directories} new, ${removed.directories} removed${metadata(directories)}`)
  output.info(`Others:       ${added.others} new, ${removed.others} removed${metadata(others)}`)
  output.info(`Data:         ${formatSize(added.bytes)} new, ${formatSize(removed.bytes)} removed`)
}
