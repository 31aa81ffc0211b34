import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type BackupOptions, type BackupResult, backup } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import type { Node } from '../../src/format/node.ts'
import type { Failure } from '../../src/format/snapshot.ts'
import { createRepository, openTestRepository, readContent, readNodes, testEnvironment } from './repository.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export interface BackedUp extends BackupResult {
  /** By path below the source. */
  readonly nodes: ReadonlyMap<string, Node>
  /** Of files, as text of one char a byte. */
  readonly contents: Readonly<Record<string, string>>
  /** `path: reason`, paths below the source. */
  readonly failures: readonly string[]
  readonly notices: readonly string[]
}

/** A directory to be backed up, and a repository beside it. */
export interface BackingUp extends AsyncDisposable {
  /** Of both. */
  readonly path: string
  readonly source: string
  /** Backs the source up in a session of its own, and reads everything back. */
  run(options?: Partial<BackupOptions>): Promise<BackedUp>
}

export async function backingUp(): Promise<BackingUp> {
  const tmp = await temporaryDirectory()
  const source = join(tmp.path, 'source')
  mkdirSync(source)
  await createRepository(tmp.path)
  const below = (path: string): string => path.slice(source.length + 1)
  return {
    path: tmp.path,
    source,
    async run(options = {}) {
      const environment = testEnvironment(tmp.path)
      await using repository = await openTestRepository(tmp.path, environment)
      const failures: string[] = []
      const onFailure = ({ path, reason }: Failure): number => failures.push(`${below(path)}: ${reason}`)
      const result = await backup(repository, { paths: [byteStringOf(source)], threads: 1, onFailure, ...options })
      const nodes = new Map<string, Node>()
      const contents: Record<string, string> = {}
      for (const [path, node] of await readNodes(repository, result.snapshot.tree)) {
        if (!path.startsWith(`${source}/`)) continue
        nodes.set(below(path), node)
        if (node.type === 'file' && node.size < 2 ** 20)
          contents[below(path)] = (await readContent(repository, node)).toString('latin1')
      }
      return { ...result, nodes, contents, failures, notices: environment.notices }
    },
    [Symbol.asyncDispose]: () => tmp[Symbol.asyncDispose](),
  }
}
