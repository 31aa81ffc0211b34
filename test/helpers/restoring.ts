import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { byteStringOf, displayBytes } from '../../src/base/bytes.ts'
import type { Snapshot } from '../../src/format/snapshot.ts'
import { createAccounts } from '../../src/native/accounts.ts'
import type { Repository } from '../../src/repository/repository.ts'
import type { RestoreJob } from '../../src/restore/job.ts'
import type { RestoreOptions, RestoreResult } from '../../src/restore/options.ts'
import { Report } from '../../src/restore/report.ts'
import { restoreFiles } from '../../src/restore/restore-files.ts'
import { restore } from '../../src/restore/restorer.ts'
import { createSelection } from '../../src/restore/selection.ts'
import { findTarget, makeTarget } from '../../src/restore/target.ts'
import { findSource } from '../../src/restore/walk.ts'
import { WorkerPool } from '../../src/worker/pool.ts'
import { SharedBuffers } from '../../src/worker/shared-buffers.ts'
import { createRepository, openTestRepository } from './repository.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** A place to restore from and to. */
export interface Restoring extends AsyncDisposable {
  readonly repository: Repository
  /** A temporary directory. */
  readonly directory: string
  /** In it; not there yet. */
  readonly target: string
  /** Restores into the target and tells what was heard on the way. */
  run(snapshot: Snapshot, options?: Partial<RestoreOptions>): Promise<Run>
}

export interface Run {
  readonly result: RestoreResult
  /** `path: reason`. */
  readonly failures: readonly string[]
  /** `action path`, the target in it as TARGET. */
  readonly items: readonly string[]
}

export async function openRestoring(): Promise<Restoring> {
  const temporary = await temporaryDirectory()
  await createRepository(temporary.path)
  const repository = await openTestRepository(temporary.path)
  const target = join(temporary.path, 'target')
  return {
    repository,
    directory: temporary.path,
    target,
    async run(snapshot, options = {}) {
      const failures: string[] = []
      const items: string[] = []
      const result = await restore(repository, snapshot, {
        target,
        threads: 2,
        onFailure: ({ path, reason }) => failures.push(`${displayBytes(path)}: ${reason}`),
        onItem: ({ path, action }) => items.push(`${action} ${displayBytes(path).replace(target, 'TARGET')}`),
        ...options,
      })
      return { result, failures, items }
    },
    async [Symbol.asyncDispose]() {
      await repository.close()
      await temporary[Symbol.asyncDispose]()
    },
  }
}

/** Restores the files of a snapshot in windows of so many chunk writes, and verifies them. */
export async function restoreInWindows(
  at: Restoring,
  snapshot: Snapshot,
  windowWrites: number,
  more: Partial<RestoreOptions> = {},
): Promise<Report> {
  const options: RestoreOptions = { target: at.target, verify: true, ...more }
  const target = findTarget(at.target)
  makeTarget(at.target)
  await using pool = new WorkerPool({ threads: 2 })
  const report = new Report(options, target.path)
  const job: RestoreJob = {
    unread: new Set(),
    repository: at.repository,
    source: await findSource(at.repository.load, snapshot.tree, byteStringOf('/')),
    selection: createSelection(),
    target,
    options,
    ownership: { isRoot: false, accounts: createAccounts() },
    report,
    pool,
    buffers: new SharedBuffers(2, 1000),
  }
  await restoreFiles(job, windowWrites)
  return report
}

/** What is below a directory: `path` or `path = content`, links as `path -> target`, directories with a slash; sorted. */
export function describeTree(directory: string, prefix = ''): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(directory, entry.name)
      const name = prefix + entry.name
      if (entry.isDirectory()) return [`${name}/`, ...describeTree(path, `${name}/`)]
      if (entry.isSymbolicLink()) return [`${name} -> ${readlinkSync(path)}`]
      if (!entry.isFile()) return [name]
      return [statSync(path).size < 100 ? `${name} = ${readFileSync(path, 'latin1')}` : name]
    })
}
