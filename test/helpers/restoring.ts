import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { displayBytes } from '../../src/base/bytes.ts'
import type { Snapshot } from '../../src/format/snapshot.ts'
import type { Repository } from '../../src/repository/repository.ts'
import type { RestoreOptions, RestoreResult } from '../../src/restore/options.ts'
import { restore } from '../../src/restore/restorer.ts'
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
  /** `action path`. */
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
        onItem: ({ path, action }) => items.push(`${action} ${displayBytes(path)}`),
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
