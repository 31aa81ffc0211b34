import { type ByteString, joinPath } from '../base/bytes.ts'
import { throwIfInterrupted } from '../base/errors.ts'
import type { ObjectId } from '../base/ids.ts'
import type { LoadObject } from '../repository/lists.ts'
import type { PathMatcher } from '../repository/path-patterns.ts'
import type { StoredSnapshot } from '../repository/snapshots.ts'
import { walkTree } from '../repository/trees.ts'
import type { Entry } from './entries.ts'

export interface FoundEntries {
  readonly stored: StoredSnapshot
  /** Depth first, each directory's names in bytewise order. */
  readonly entries: readonly Entry[]
}

/**
 * What `matcher` selects in each of the snapshots. A directory that is the same in several of them is searched once.
 * Memory: what is found, some 700 bytes each, and some 100 bytes for each directory that differs between the snapshots. Rejects INTERRUPTED.
 */
export async function* findEntries(
  load: LoadObject,
  snapshots: Iterable<StoredSnapshot>,
  matcher: PathMatcher,
  { signal }: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<FoundEntries, void, undefined> {
  const searched = new Map<string, readonly Entry[]>()

  /** All that is selected below the directory. The path matters, too: the same tree elsewhere may fit otherwise. */
  async function search(tree: ObjectId, path: ByteString): Promise<readonly Entry[]> {
    const key = tree + path
    const known = searched.get(key)
    if (known) return known
    const found: Entry[] = []
    for await (const node of walkTree(load, tree)) {
      throwIfInterrupted(signal)
      const entry = { path: joinPath(path, node.name), node }
      if (matcher.matches(entry.path, node.type === 'directory')) found.push(entry)
      if (node.type !== 'directory' || !matcher.mayMatchBelow(entry.path)) continue
      for (const below of await search(node.tree, entry.path)) found.push(below)
    }
    searched.set(key, found)
    return found
  }

  for (const stored of snapshots) yield { stored, entries: await search(stored.snapshot.tree, '/' as ByteString) }
}
