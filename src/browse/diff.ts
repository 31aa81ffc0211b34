import { type ByteString, joinPath } from '../base/bytes.ts'
import type { ObjectId } from '../base/ids.ts'
import type { Node } from '../format/node.ts'
import type { LoadObject } from '../repository/lists.ts'
import { walkTree } from '../repository/trees.ts'

/** restic's letters: added, removed, modified content, updated metadata only, another type. */
export type Modifier = '+' | '-' | 'M' | 'U' | 'T'

export interface Change {
  readonly path: ByteString
  readonly modifier: Modifier
  /** Absent when added. */
  readonly before?: Node
  /** Absent when removed. */
  readonly after?: Node
}

/**
 * What differs between two trees that both are the directory at `path`, depth first. Directories with the same id are not
 * looked into; a directory itself can only be updated, whatever happens below it. Memory: two tree objects for each level.
 */
export async function* diffTrees(
  load: LoadObject,
  before: ObjectId | undefined,
  after: ObjectId | undefined,
  path: ByteString,
): AsyncGenerator<Change, void, undefined> {
  const open = [pairNodes(load, before, after, path)]
  for (let directory = open.at(-1); directory; directory = open.at(-1)) {
    const { done, value: pair } = await directory.next()
    if (done) {
      open.pop()
      continue
    }
    const modifier = modifierOf(pair.before, pair.after)
    if (modifier) yield { ...pair, modifier }
    const trees = [pair.before, pair.after].map((node) => (node?.type === 'directory' ? node.tree : undefined))
    if (trees[0] !== trees[1]) open.push(pairNodes(load, trees[0], trees[1], pair.path))
  }
}

interface Pair {
  readonly path: ByteString
  readonly before?: Node
  readonly after?: Node
}

/** The entries of two directories by name; either may be missing altogether. */
async function* pairNodes(
  load: LoadObject,
  before: ObjectId | undefined,
  after: ObjectId | undefined,
  path: ByteString,
): AsyncGenerator<Pair, void, undefined> {
  const left = before === undefined ? NOTHING : walkTree(load, before)
  const right = after === undefined ? NOTHING : walkTree(load, after)
  let [a, b] = [await left.next(), await right.next()]
  while (!a.done || !b.done) {
    const [old, now] = [a.value ?? undefined, b.value ?? undefined]
    const takeOld = old !== undefined && (now === undefined || old.name <= now.name)
    const takeNow = now !== undefined && (old === undefined || now.name <= old.name)
    const name = (takeOld ? old : now!).name
    yield { path: joinPath(path, name), before: takeOld ? old : undefined, after: takeNow ? now : undefined }
    if (takeOld) a = await left.next()
    if (takeNow) b = await right.next()
  }
}

const NOTHING: AsyncIterator<Node, void, undefined> = { next: async () => ({ done: true, value: undefined }) }

function modifierOf(before: Node | undefined, after: Node | undefined): Modifier | undefined {
  if (!before) return '+'
  if (!after) return '-'
  if (before.type !== after.type) return 'T'
  if (contentOf(before) !== contentOf(after)) return 'M'
  return metadataOf(before) === metadataOf(after) ? undefined : 'U'
}

/** What an entry is, besides its metadata: equal if and only if the strings are. That of a directory is told entry by entry. */
function contentOf(node: Node): string {
  switch (node.type) {
    case 'file':
      return `${node.size} ${node.content?.height} ${node.content?.id}`
    case 'symlink':
      return node.target
    case 'char-device':
    case 'block-device':
      return `${node.major} ${node.minor}`
    case 'directory':
    case 'fifo':
      return ''
  }
}

function metadataOf({ mode, uid, gid, user, group, mtimeNs, attributes }: Node): string {
  const set =
    typeof attributes === 'string'
      ? attributes
      : attributes?.map(({ name, value }) => [name, Buffer.from(value).toString('hex')])
  return JSON.stringify([mode, uid, gid, user, group, mtimeNs?.toString(), set])
}
