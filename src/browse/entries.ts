import { type ByteString, displayBytes, joinPath } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import type { ObjectId } from '../base/ids.ts'
import type { Node } from '../format/node.ts'
import type { LoadObject } from '../repository/lists.ts'
import { findNode, walkTree } from '../repository/trees.ts'

/** Something in a snapshot, and its absolute path. */
export interface Entry {
  readonly path: ByteString
  readonly node: Node
}

export interface ListOptions {
  /** All below a directory, depth first, instead of what is directly in it. */
  readonly recursive?: boolean
}

/**
 * What is in the directory at an absolute `path` of a snapshot, each directory's names in bytewise order; or the one entry
 * there, if it is no directory. Rejects NOT_FOUND. Memory: one tree object for each level.
 */
export async function* listEntries(
  load: LoadObject,
  root: ObjectId,
  path: ByteString,
  { recursive = false }: ListOptions = {},
): AsyncGenerator<Entry, void, undefined> {
  const start = await findEntry(load, root, path)
  if (typeof start !== 'string' && start.node.type !== 'directory') return yield start
  const open = [{ path, nodes: walkTree(load, treeOf(start, root)) }]
  for (let directory = open.at(-1); directory; directory = open.at(-1)) {
    const { done, value: node } = await directory.nodes.next()
    if (done) {
      open.pop()
      continue
    }
    const entry = { path: joinPath(directory.path, node.name), node }
    yield entry
    if (recursive && node.type === 'directory') open.push({ path: entry.path, nodes: walkTree(load, node.tree) })
  }
}

/** The entry at an absolute path; `/`, which has no node, for the root. Rejects NOT_FOUND. */
export async function findEntry(load: LoadObject, root: ObjectId, path: ByteString): Promise<Entry | '/'> {
  if (path === '/') return '/'
  const node = await findNode(load, root, path)
  if (node) return { path, node }
  throw new ChainkeepError('NOT_FOUND', `there is nothing at ${displayBytes(path)} in the snapshot`, { path })
}

function treeOf(entry: Entry | '/', root: ObjectId): ObjectId {
  return entry !== '/' && entry.node.type === 'directory' ? entry.node.tree : root
}
