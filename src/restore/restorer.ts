import { realpathSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { type ByteString, toByteString } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import type { Snapshot } from '../format/snapshot.ts'
import { createAccounts } from '../native/accounts.ts'
import type { Repository } from '../repository/repository.ts'
import { WorkerPool } from '../worker/pool.ts'
import { SharedBuffers } from '../worker/shared-buffers.ts'
import { finishDirectories } from './finish-directories.ts'
import type { RestoreJob } from './job.ts'
import type { RestoreOptions, RestoreResult } from './options.ts'
import { Report } from './report.ts'
import { restoreFiles } from './restore-files.ts'
import { createSelection } from './selection.ts'
import { findTarget, makeTarget, type Target } from './target.ts'
import { findSource, walkSelected } from './walk.ts'
import { READ_BYTES } from './window.ts'

/**
 * Restores a snapshot, or part of it, into a directory: first directories and files, then, in a second walk, links and other
 * special files and the metadata of directories. Whatever fails is reported by name and the rest goes on; a file that
 * cannot be restored whole is removed, unless it was there before.
 *
 * Rejects USAGE, NOT_FOUND (no such path in the snapshot, or a folder of the repository is gone), REFUSED, NO_SPACE, DENIED (the target takes no files),
 * INTERRUPTED. After any of these the same call goes on where this one ended. Memory: see `restoreFiles`.
 */
export async function restore(
  repository: Repository,
  snapshot: Snapshot,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const { dryRun = false, overwrite = 'always', threads = availableParallelism() } = options
  await using _lock = await repository.lock('read')
  const selection = createSelection(options.include, options.exclude)
  const target = findTarget(options.target)
  const report = new Report(options, target.path)
  await using pool = new WorkerPool({ threads })
  const isWhole = (options.path ?? '/') === '/' && selection.isWhole
  const expectWork = (): void => {
    if (!dryRun && (target.isNew || overwrite === 'always')) pool.expect(report.expectedBytes)
  }
  if (isWhole) {
    report.expect(snapshot.summary.totalFiles, snapshot.summary.totalBytes)
    expectWork() // threads start while this one opens the index
  }
  await repository.index() // where that fails nothing can be restored, and no file is to blame
  const source = await findSource(repository.load, snapshot.tree, options.path ?? ('/' as ByteString))
  const ownership = { isRoot: process.geteuid?.() === 0, accounts: createAccounts() }
  const buffers = new SharedBuffers(pool.capacity + 1, READ_BYTES) // one is read into while the threads have theirs
  const unread = new Set<string>(snapshot.failures.map(({ path }) => path))
  const job: RestoreJob = { repository, source, selection, target, options, ownership, report, pool, buffers, unread }
  if (options.deleteExtra && snapshot.failureCount > unread.size)
    throw new ChainkeepError(
      'REFUSED',
      `the snapshot lacks ${snapshot.failureCount} files that could not be read and does not name them all: restore without deleting`,
    )
  refuseHarm(job, target)
  if (!dryRun) makeTarget(options.target)
  if (!isWhole) {
    await countSelected(job)
    expectWork()
  }
  await restoreFiles(job)
  await finishDirectories(job)
  return report.result
}

function refuseHarm({ repository, selection, options }: RestoreJob, target: Target): void {
  const directory = repository.backend.localDirectory
  const own = directory && toByteString(realpathSync(directory, { encoding: 'buffer' }))
  if (own !== undefined && (target.path === own || target.path.startsWith(`${own}/`)))
    throw new ChainkeepError('REFUSED', `${options.target} is inside the repository: choose another directory`)
  if (options.deleteExtra && target.path === '/' && selection.isWhole)
    throw new ChainkeepError(
      'REFUSED',
      'this would delete everything on the machine that is not in the snapshot: say with patterns what is meant',
    )
}

/** Reads the trees once more to know how much there is to do. */
async function countSelected({ repository, source, selection, options, report }: RestoreJob): Promise<void> {
  let files = 0
  let bytes = 0
  for await (const event of walkSelected(repository.load, source, selection, options.signal)) {
    if (event.type !== 'entry' || !event.isSelected) continue
    files++
    if (event.node.type === 'file') bytes += event.node.size
  }
  report.expect(files, bytes)
}
