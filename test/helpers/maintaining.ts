import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FileSystem } from '../../src/backend/file-system.ts'
import { localBackend } from '../../src/backend/local.ts'
import type { Snapshot } from '../../src/format/snapshot.ts'
import type { CutParameters } from '../../src/native/scan.ts'
import { openRepository, type Repository } from '../../src/repository/repository.ts'
import { type StoredSnapshot, saveSnapshot } from '../../src/repository/snapshots.ts'
import {
  createRepository,
  publishing,
  readContent,
  readNodes,
  type TestEnvironment,
  testEnvironment,
} from './repository.ts'
import { type Listing, storeSnapshot, TINY_CUTS } from './store-tree.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** A repository in a temporary directory, whose files a test may damage. */
export interface Maintaining extends AsyncDisposable {
  readonly environment: TestEnvironment
  readonly repository: Repository
  /** Closes the repository and opens it anew; `files` takes the place of the real file system. */
  reopen(files?: FileSystem): Promise<Repository>
  /** Packs of each call are apart from those of others. */
  store(listing: Listing, fields?: Partial<Snapshot>, cuts?: CutParameters): Promise<StoredSnapshot>
  /** Paths of stored files in the repository's folder: `data/ab/ab…`. */
  list(folder: 'data' | 'meta' | 'parity' | 'snapshots' | 'condemned' | 'locks' | 'tmp' | 'index'): string[]
  /** Of `data/` and `meta/`. */
  packBytes(): number
  pathOf(file: string): string
  /** Rewrites a stored file. */
  change(file: string, change: (bytes: Buffer) => Uint8Array): void
}

export async function openMaintaining(): Promise<Maintaining> {
  const temporary = await temporaryDirectory()
  await createRepository(temporary.path)
  const folder = join(temporary.path, 'repository')
  const environment = testEnvironment(temporary.path)
  let repository = await openRepository(localBackend(folder), environment)
  const list: Maintaining['list'] = (kind) =>
    (existsSync(join(folder, kind)) ? readdirSync(join(folder, kind), { recursive: true, withFileTypes: true }) : [])
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort()
  return {
    environment,
    get repository() {
      return repository
    },
    async reopen(files) {
      await repository.close()
      repository = await openRepository(localBackend(folder, files), environment)
      return repository
    },
    async store(listing, fields = {}, cuts = TINY_CUTS) {
      const snapshot = { ...(await storeSnapshot(repository, listing, cuts)), ...fields }
      return { id: await saveSnapshot(snapshot, publishing(repository)), snapshot }
    },
    list,
    packBytes: () =>
      [...list('data'), ...list('meta')].reduce((sum, file) => sum + statSync(join(folder, file)).size, 0),
    pathOf: (file) => join(folder, file),
    change(file, change) {
      writeFileSync(join(folder, file), change(readFileSync(join(folder, file))))
    },
    async [Symbol.asyncDispose]() {
      await repository.close()
      await temporary[Symbol.asyncDispose]()
    },
  }
}

/** The contents of all files in a snapshot, by path. Throws if any byte of it cannot be had. */
export async function contentsOf(
  repository: Repository,
  { snapshot }: StoredSnapshot,
): Promise<Record<string, string>> {
  const contents: Record<string, string> = {}
  for (const [path, node] of await readNodes(repository, snapshot.tree))
    if (node.type === 'file') contents[path] = (await readContent(repository, node)).toString('latin1')
  return contents
}

/** With the bits of one byte turned round. */
export function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at]! ^= 0xff
  return copy
}
