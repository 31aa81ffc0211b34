import { join } from 'node:path'
import { localBackend } from '../../src/backend/local.ts'
import { createLocalFolders } from '../../src/backend/local-folders.ts'
import type { ByteString } from '../../src/base/bytes.ts'
import { joinPath } from '../../src/base/bytes.ts'
import type { ObjectId } from '../../src/base/ids.ts'
import { idBytes, objectIdAt } from '../../src/base/ids.ts'
import { DEFAULT_CUT_PARAMETERS, SEGMENT_BYTES } from '../../src/chunker/fastcdc.ts'
import type { Node } from '../../src/format/node.ts'
import type { Environment } from '../../src/repository/environment.ts'
import { walkChunks } from '../../src/repository/lists.ts'
import type { Lock } from '../../src/repository/lock.ts'
import { initRepository, openRepository, type Repository } from '../../src/repository/repository.ts'
import { walkTree } from '../../src/repository/trees.ts'

export interface TestEnvironment extends Environment {
  readonly notices: string[]
}

/** The outside world of a test: a clock that runs, a host of its own, notices kept. */
export function testEnvironment(directory: string, host = 'test-host'): TestEnvironment {
  const notices: string[] = []
  const cacheDirectory = join(directory, 'cache')
  return {
    now: Date.now,
    host,
    program: 'chainkeep test',
    cacheDirectory,
    notices,
    notice: (text) => notices.push(text),
  }
}

/** Makes a repository in `directory`/repository. */
export async function createRepository(directory: string): Promise<void> {
  const path = join(directory, 'repository')
  await createLocalFolders(path)
  const chunker = { ...DEFAULT_CUT_PARAMETERS, segmentBytes: SEGMENT_BYTES }
  await initRepository(localBackend(path), testEnvironment(directory), { chunker })
}

export function openTestRepository(
  directory: string,
  environment: Environment = testEnvironment(directory),
): Promise<Repository> {
  return openRepository(localBackend(join(directory, 'repository')), environment)
}

/** What publishes without a lock: for tests that are alone. */
export const publishing = ({ backend }: Pick<Repository, 'backend'>): Pick<Lock, 'publish'> => ({
  publish: (...file) => backend.put(...file),
})

/** Every node below a tree, by its absolute path in the snapshot. */
export async function readNodes(
  repository: Repository,
  tree: ObjectId,
  path: ByteString = '/' as ByteString,
): Promise<Map<string, Node>> {
  const nodes = new Map<string, Node>()
  for await (const node of walkTree(repository.load, tree)) {
    const child = joinPath(path, node.name)
    nodes.set(child, node)
    if (node.type === 'directory')
      for (const entry of await readNodes(repository, node.tree, child)) nodes.set(...entry)
  }
  return nodes
}

/** The bytes of a file in a snapshot. */
export async function readContent(repository: Repository, node: Node | undefined): Promise<Buffer> {
  if (node?.type !== 'file') throw new Error('not a file')
  const parts: Uint8Array[] = []
  for await (const { ids } of walkChunks(repository.load, node.content, node.size))
    for (let i = 0; i < ids.length; i += idBytes(objectIdAt(ids)).length)
      parts.push(await repository.load('chunk', objectIdAt(ids, i)))
  return Buffer.concat(parts)
}
