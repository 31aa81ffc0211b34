import type { BackupOptions, BackupResult } from '../backup/archiver.ts'
import type { Healed } from '../backup/lost-objects.ts'
import { displayBytes } from '../base/bytes.ts'
import { shortId } from '../base/ids.ts'
import type { Snapshot, SnapshotSummary } from '../format/snapshot.ts'
import { countOf, summaryToJson } from './describe-snapshot.ts'
import { type Output, pathField } from './output.ts'
import { formatCount, formatRatio, formatSize } from './sizes.ts'
import { renderPairs } from './table.ts'
import { formatDuration } from './times.ts'

type Item = Parameters<NonNullable<BackupOptions['onItem']>>[0]

/** restic's words for programs. */
const JSON_ACTIONS = { new: 'new', changed: 'modified', unmodified: 'unchanged' } as const

/** Once verbose: what was stored; twice: everything. */
export function tellItem(output: Output, { path, action, size }: Item): void {
  const level = action === 'unmodified' ? 2 : 1
  if (output.verbosity < level) return // there may be millions
  output.info(`${action.padEnd(10)}  ${displayBytes(path)} (${formatSize(size)})`, level)
  const { path: item, path_bytes } = pathField(path)
  output.verboseJson(level, {
    message_type: 'verbose_status',
    action: JSON_ACTIONS[action],
    item,
    item_bytes: path_bytes,
    data_size: size,
  })
}

/** What a backup has done. */
export function tellSummary(output: Output, { id, snapshot, skipped, healed }: BackupResult, dryRun: boolean): void {
  const { summary, failureCount } = snapshot
  output.json({
    message_type: 'summary',
    dry_run: dryRun || undefined,
    ...summaryToJson(snapshot),
    total_duration: summary.durationMs / 1000,
    error_count: failureCount || undefined,
    lost_objects: healed?.lost,
    healed_objects: healed?.healed,
    snapshot_id: id,
  })
  const files = [
    `${formatCount(summary.filesNew)} new`,
    `${formatCount(summary.filesChanged)} changed`,
    `${formatCount(summary.filesUnmodified)} unmodified`,
  ]
  const pairs = [
    ['Files', files.join(', ')],
    ['Read', `${formatSize(summary.bytesRead)} of ${formatSize(summary.totalBytes)}${describeTakenOver(summary)}`],
    [dryRun ? 'Would add' : 'Added', formatSize(summary.bytesAdded)],
    [dryRun ? 'Would store' : 'Stored', formatSize(summary.bytesStored) + describeRatio(summary)],
    ['Time', formatDuration(summary.durationMs)],
  ] as const
  for (const line of renderPairs(pairs)) output.info(line)
  if (healed) output.info(describeHealed(output, healed))
  if (failureCount > 0)
    output.info(output.paint.yellow(`${countOf(failureCount, 'entry', 'entries')} missing or torn: see above`))
  if (skipped) output.info('nothing has changed: no snapshot was made')
  else if (id)
    output.info(`snapshot ${output.paint.bold(shortId(id))} saved (${snapshot.kind}${describeParent(snapshot)})`)
}

const describeTakenOver = ({ bytesTakenOver = 0 }: SnapshotSummary): string =>
  bytesTakenOver > 0 ? ` (${formatSize(bytesTakenOver)} taken over)` : ''

const describeRatio = ({ bytesStored, bytesAdded }: SnapshotSummary): string =>
  bytesAdded > 0 ? ` (ratio ${formatRatio(bytesStored, bytesAdded)})` : ''

function describeHealed({ paint }: Output, { lost, healed }: Healed): string {
  if (healed === lost) return paint.green(`healed: all that was lost is stored again (${countOf(lost, 'object')})`)
  const stored = healed === 0 ? 'nothing of it is' : `${formatCount(healed)} of them are`
  return paint.yellow(`lost: ${countOf(lost, 'object')} that the last snapshot needs; ${stored} stored again`)
}

const describeParent = ({ parent }: Snapshot): string => (parent ? `, since ${shortId(parent)}` : '')
