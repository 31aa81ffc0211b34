import { type BigIntStats, readdirSync, realpathSync, rmdirSync, unlinkSync } from 'node:fs'
import { type ByteString, displayBytes, fromByteString, joinPath, toByteString } from '../base/bytes.ts'
import { ChainkeepError, errnoOf } from '../base/errors.ts'
import type { RestoreJob } from './job.ts'
import { lstat } from './target.ts'

/** The names in a directory of the target, sorted. */
export function listTarget(path: ByteString): ByteString[] {
  return readdirSync(fromByteString(path), { encoding: 'buffer' }).map(toByteString).sort()
}

/**
 * Deletes what is at `target`, which would be `path` in the snapshot, and what is below it, as far as the patterns select
 * it. Never follows links, and spares the repository, other file systems, and what the backup could not read. Answers whether it is gone (or would be, in a dry run).
 */
export function deleteExtra(job: RestoreJob, target: ByteString, path: ByteString): boolean {
  try {
    const stats = lstat(target)
    return !stats || deleteEntry(job, target, path, stats)
  } catch (error) {
    job.report.failCall(path, 'cannot delete', target, error)
    return false
  }
}

/** Removes what stands where something else belongs; throws EXISTS for a directory that must not or cannot be emptied. */
export function makeWay(job: RestoreJob, target: ByteString, path: ByteString, stats: BigIntStats): void {
  if (!stats.isDirectory()) {
    unlinkSync(fromByteString(target))
    return
  }
  if (job.options.deleteExtra)
    for (const name of listTarget(target)) deleteExtra(job, joinPath(target, name), joinPath(path, name))
  try {
    rmdirSync(fromByteString(target))
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY') throw error
    const hint = job.options.deleteExtra ? '' : '; deleting what is not in the snapshot would remove it'
    throw new ChainkeepError('EXISTS', `${displayBytes(target)} is a directory that is not empty${hint}`)
  }
}

function deleteEntry(job: RestoreJob, target: ByteString, path: ByteString, stats: BigIntStats): boolean {
  const { selection, options, report } = job
  if (job.unread.has(path)) return false
  const isDirectory = stats.isDirectory()
  const isSelected = selection.isSelected(path, isDirectory)
  if (isDirectory) {
    if (!isSelected && !selection.mayHoldSelected(path)) return false
    if (isRepository(job, target) || isMountPoint(target, stats)) return false
    const left = listTarget(target).filter((name) => !deleteExtra(job, joinPath(target, name), joinPath(path, name)))
    if (left.length > 0) return false
  }
  if (!isSelected) return false
  if (!options.dryRun) {
    if (isDirectory) rmdirSync(fromByteString(target))
    else unlinkSync(fromByteString(target))
  }
  report.item(target, 'deleted', isDirectory ? 0 : Number(stats.size))
  return true
}

/** Somebody may well keep it next to what is backed up. */
function isRepository({ repository }: RestoreJob, target: ByteString): boolean {
  const directory = repository.backend.localDirectory
  return directory !== undefined && toByteString(realpathSync(directory, { encoding: 'buffer' })) === target
}

/** Another file system is no part of what was backed up or left out: it is only there today. */
function isMountPoint(target: ByteString, stats: BigIntStats): boolean {
  const above = lstat(joinPath(target, '..' as ByteString))
  return above !== undefined && above.dev !== stats.dev
}
