import { type ByteString, joinPath } from '../base/bytes.ts'
import type { DirectoryNode } from '../format/node.ts'
import { deleteExtra, listTarget } from './delete-extra.ts'
import { restoreMetadata } from './finish-file.ts'
import type { RestoreJob } from './job.ts'
import { restoreSpecial, type SpecialLinks } from './restore-special.ts'
import { lookAtDirectory, type TargetDirectory, targetPath } from './target.ts'
import { type SnapshotEvent, walkSelected } from './walk.ts'

/**
 * The second walk, once all files are there: makes what is neither file nor directory, deletes what is not in the snapshot,
 * and gives each directory its metadata when nothing in it will change any more. Every directory is looked at again, so
 * that no link that was made meanwhile is followed. Memory: the names in the existing directories on the current path, for deleting.
 */
export async function finishDirectories(job: RestoreJob): Promise<void> {
  const { repository, source, selection, options } = job
  const levels: Level[] = []
  const links: SpecialLinks = new Map()
  for await (const event of walkSelected(repository.load, source, selection, options.signal)) {
    if (event.type === 'damage') continue // the first walk has told
    if (event.type === 'leave') {
      const level = levels.pop()!
      if (event.isComplete) deleteBefore(job, level, undefined)
      if (event.isUsed) await finishDirectory(job, level)
      continue
    }
    const parent = levels.at(-1)
    if (parent) deleteBefore(job, parent, event.name)
    if (event.type === 'enter') levels.push(openLevel(job, parent, event))
    else if (
      event.isSelected &&
      event.node.type !== 'file' &&
      event.node.type !== 'directory' &&
      parent!.state !== 'closed'
    )
      await restoreSpecial(job, event.node, event.path, parent!, links)
  }
}

/** A directory on the current path. */
interface Level extends TargetDirectory {
  /** In the snapshot; without a node it is the snapshot's root. */
  readonly snapshotPath: ByteString
  readonly node?: DirectoryNode
  readonly isRoot: boolean
  /** Names that are there, sorted, and how many of them are behind the walk. */
  readonly existing: readonly ByteString[]
  behind: number
}

function openLevel(job: RestoreJob, parent: Level | undefined, event: SnapshotEvent & { type: 'enter' }): Level {
  const { target, options, report } = job
  const path = parent ? targetPath(parent, event.name) : target.path
  const base = { path, snapshotPath: event.path, node: event.node, isRoot: !parent, isNew: false, behind: 0 }
  try {
    const found = parent ? lookAtDirectory(parent, path, options.overwrite ?? 'always') : rootState(job)
    const state = found === 'missing' && !options.dryRun ? 'closed' : found // it could not be made
    const mayDelete = options.deleteExtra && event.isWhole && state === 'open' && !job.unread.has(event.path)
    return { ...base, state, existing: mayDelete ? listTarget(path) : [] }
  } catch (error) {
    report.failCall(event.path, 'cannot list', path, error)
    return { ...base, state: 'closed', existing: [] }
  }
}

const rootState = ({ target, options }: RestoreJob): 'open' | 'missing' =>
  options.dryRun && target.isNew ? 'missing' : 'open'

/** Deletes the names that come before `name` in the target and were not among those of the snapshot. */
function deleteBefore(job: RestoreJob, level: Level, name: ByteString | undefined): void {
  for (; level.behind < level.existing.length; level.behind++) {
    const extra = level.existing[level.behind]!
    if (name !== undefined && extra >= name) {
      if (extra === name) level.behind++
      return
    }
    deleteExtra(job, joinPath(level.path, extra), joinPath(level.snapshotPath, extra))
  }
}

async function finishDirectory(job: RestoreJob, { path, snapshotPath, node, state, isRoot }: Level): Promise<void> {
  if (!node || state === 'closed') return
  if (!isRoot) job.report.add('directories', 1)
  // A target that was there before is its owner's: only one that this run has made becomes like the snapshot's directory.
  if (state === 'open' && !job.options.dryRun && (!isRoot || job.target.isNew))
    await restoreMetadata(job, node, { path: snapshotPath, target: path })
}
