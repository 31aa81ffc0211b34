import { displayBytes } from '../base/bytes.ts'
import { type SnapshotId, shortId } from '../base/ids.ts'
import type { RestoredItem, RestoreResult } from '../restore/options.ts'
import { DAMAGE_ADVICE } from './advice.ts'
import { countOf } from './describe-snapshot.ts'
import { type Output, pathField } from './output.ts'
import { formatCount, formatSize } from './sizes.ts'
import { renderPairs } from './table.ts'
import { formatDuration } from './times.ts'

/** Once verbose, and in a dry run, what changes; twice: everything. */
export function tellRestoredItem(output: Output, { path, action, size }: RestoredItem, dryRun: boolean): void {
  const level = action === 'unchanged' || action === 'skipped' ? 2 : dryRun ? 0 : 1
  output.info(
    `${action.padEnd(9)}  ${displayBytes(path)}${action === 'deleted' ? '' : ` (${formatSize(size)})`}`,
    level,
  )
  const { path: item, path_bytes } = pathField(path)
  output.verboseJson(level, { message_type: 'verbose_status', action, item, item_bytes: path_bytes, size })
}

export interface RestoreFacts {
  readonly id: SnapshotId
  readonly target: string
  readonly dryRun: boolean
  readonly durationMs: number
}

/** What a restore has done. */
export function tellRestored(output: Output, result: RestoreResult, facts: RestoreFacts): void {
  const { id, target, dryRun, durationMs } = facts
  output.json({
    message_type: 'summary',
    dry_run: dryRun || undefined,
    snapshot_id: id,
    target,
    total_files: result.filesRestored + result.filesUpdated + result.filesUnchanged + result.filesSkipped,
    files_restored: result.filesRestored,
    files_updated: result.filesUpdated,
    files_unchanged: result.filesUnchanged,
    files_skipped: result.filesUnchanged + result.filesSkipped, // as restic counts them, and bytes_skipped
    files_deleted: result.filesDeleted,
    dirs_restored: result.directories,
    total_bytes: result.totalBytes,
    bytes_restored: result.bytesWritten,
    bytes_skipped: result.bytesReused,
    bytes_verified: result.bytesVerified,
    seconds_elapsed: Math.round(durationMs / 1000),
    error_count: result.failureCount || undefined,
    damage_count: result.damageCount || undefined,
  })
  const files = [
    `${formatCount(result.filesRestored)} restored`,
    `${formatCount(result.filesUpdated)} updated`,
    `${formatCount(result.filesUnchanged)} unchanged`,
    result.filesSkipped > 0 && `${formatCount(result.filesSkipped)} skipped`,
    result.filesDeleted > 0 && `${formatCount(result.filesDeleted)} deleted`,
  ]
  const isComplete = result.failureCount + result.filesSkipped === 0
  const isLess = result.bytesWritten + result.bytesReused < result.totalBytes
  const holes = isComplete && isLess && result.bytesReused === 0 ? ' (the rest are holes)' : ''
  const pairs: [string, string][] = [
    ['Files', files.filter((part) => part).join(', ')],
    [dryRun ? 'To write' : 'Written', `${formatSize(result.bytesWritten)} of ${formatSize(result.totalBytes)}${holes}`],
    ['Reused', `${formatSize(result.bytesReused)} that the target held already`],
  ]
  if (result.bytesVerified > 0) pairs.push(['Verified', formatSize(result.bytesVerified)])
  pairs.push(['Time', formatDuration(durationMs)])
  for (const line of renderPairs(pairs)) output.info(line)
  if (result.failureCount > 0) output.info(output.paint.red(`${countOf(result.failureCount, 'failure')}: see above`))
  if (result.damageCount > 0)
    output.info(
      `part of the repository cannot be read: ${DAMAGE_ADVICE}; another snapshot may still have these files whole`,
    )
  if (result.failureCount === 0)
    output.info(`snapshot ${shortId(id)} ${dryRun ? 'would be' : 'is'} restored to ${target}`)
}
