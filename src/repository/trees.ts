import { type ByteString, displayBytes } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import type { ObjectId } from '../base/ids.ts'
import { decodeCbor } from '../format/cbor.ts'
import type { Attribute, Node } from '../format/node.ts'
import { attributesFromArray } from '../format/node.ts'
import { decodeTree, encodeInner, endsInner, endsLeaf, joinLeaf, type Tree, type TreeChild } from '../format/tree.ts'
import type { LoadObject, SaveObject } from './lists.ts'

/** A node as `encodeNode` wrote it, and its name. */
export interface EncodedNode {
  readonly name: ByteString
  readonly node: Uint8Array
}

/** Builds the tree of one directory from its nodes, in bytewise order of their names (FORMAT.md §7). Memory: one open leaf and one open tree for each level. */
export class TreeBuilder {
  readonly #save: SaveObject
  #leaf: { firstName: ByteString; nodes: Uint8Array[]; bytes: number } | undefined
  /** Level h holds children of height h that are not in a tree yet. */
  readonly #levels: TreeChild[][] = []
  #lastName: ByteString | undefined

  constructor(save: SaveObject) {
    this.#save = save
  }

  /** Appends a node as `encodeNode` wrote it, and takes ownership of the bytes. */
  async add(name: ByteString, node: Uint8Array): Promise<void> {
    if (this.#append(name, node)) await this.#closeLeaf()
  }

  /** The same for several. */
  async addAll(entries: Iterable<EncodedNode>): Promise<void> {
    for (const { name, node } of entries) if (this.#append(name, node)) await this.#closeLeaf()
  }

  /** The id of the root. The builder must not be used again. */
  async finish(): Promise<ObjectId> {
    if (this.#levels.length === 0) return this.#save('tree', joinLeaf(this.#leaf?.nodes ?? []))
    if (this.#leaf) await this.#closeLeaf()
    for (let height = 0; ; height++) {
      const children = this.#levels[height]!
      if (height === this.#levels.length - 1 && children.length === 1) return children[0]!.id
      if (children.length > 0) await this.#closeInner(height)
    }
  }

  /** Returns whether the leaf ends with it. */
  #append(name: ByteString, node: Uint8Array): boolean {
    if (this.#lastName !== undefined && name <= this.#lastName)
      throw new RangeError(`${displayBytes(name)} is out of order`)
    this.#lastName = name
    const leaf = (this.#leaf ??= { firstName: name, nodes: [], bytes: 0 })
    leaf.nodes.push(node)
    leaf.bytes += node.length
    return endsLeaf(leaf.nodes.length, leaf.bytes, name)
  }

  async #closeLeaf(): Promise<void> {
    const { firstName, nodes } = this.#leaf!
    this.#leaf = undefined
    const id = await this.#save('tree', joinLeaf(nodes))
    await this.#enter(0, { firstName, id, count: nodes.length })
  }

  async #enter(height: number, child: TreeChild): Promise<void> {
    const children = (this.#levels[height] ??= [])
    children.push(child)
    if (endsInner(children.length, child.id)) await this.#closeInner(height)
  }

  async #closeInner(height: number): Promise<void> {
    const children = this.#levels[height]!.splice(0)
    const id = await this.#save('tree', encodeInner(height + 1, children))
    const count = children.reduce((sum, child) => sum + child.count, 0)
    await this.#enter(height + 1, { firstName: children[0]!.firstName, id, count })
  }
}

/** What a parent says of a tree below it. */
export interface ExpectedTree extends Omit<TreeChild, 'id'> {
  readonly height: number
  /** The first name after it, if there is one. */
  readonly before: ByteString | undefined
}

/**
 * Loads a tree object. Rejects BAD_FORMAT or CORRUPT when it is not what its parent says, or reaches beyond its place in the
 * order of names: a name that came twice could lead a restore through a symbolic link.
 */
export async function loadTree(load: LoadObject, id: ObjectId, expected?: ExpectedTree): Promise<Tree> {
  const tree = decodeTree(await load('tree', id), `tree ${id}`, expected?.height)
  if (!expected) return tree
  const items = 'nodes' in tree ? tree.nodes.map(({ name }) => name) : tree.children.map(({ firstName }) => firstName)
  const count = 'nodes' in tree ? items.length : tree.children.reduce((sum, child) => sum + child.count, 0)
  if (expected.count !== count || expected.firstName !== items[0])
    throw new ChainkeepError('CORRUPT', `tree ${id} is not the part of a directory that its parent says`, { id })
  const last = items.at(-1)!
  if (expected.before !== undefined && last >= expected.before)
    throw new ChainkeepError('CORRUPT', `tree ${id} is not sorted by name: ${displayBytes(last)}`, { id })
  return tree
}

/** The trees below one that is `expected` where it is. */
export function childTrees(
  tree: Extract<Tree, { children: unknown }>,
  expected?: ExpectedTree,
): { readonly id: ObjectId; readonly expected: ExpectedTree }[] {
  return tree.children.map(({ id, firstName, count }, i) => {
    const before = tree.children[i + 1]?.firstName ?? expected?.before
    return { id, expected: { height: tree.height - 1, firstName, count, before } }
  })
}

/**
 * The nodes of one directory, in order. `onTree` hears of every tree object before its items; answering false skips what
 * is below it. Rejects as `loadTree` does.
 */
export async function* walkTree(
  load: LoadObject,
  id: ObjectId,
  onTree: (id: ObjectId) => boolean | Promise<boolean> = () => true,
  expected?: ExpectedTree,
): AsyncGenerator<Node, void, undefined> {
  if (!(await onTree(id))) return
  const tree = await loadTree(load, id, expected)
  if ('nodes' in tree) return yield* tree.nodes
  for (const child of childTrees(tree, expected)) yield* walkTree(load, child.id, onTree, child.expected)
}

/** The node called `name` in a directory, or `undefined`. Reads one tree for each level. */
export async function findInTree(load: LoadObject, id: ObjectId, name: ByteString): Promise<Node | undefined> {
  let height: number | undefined
  for (;;) {
    const tree = decodeTree(await load('tree', id), `tree ${id}`, height)
    if ('nodes' in tree) return tree.nodes.find((node) => node.name === name)
    const child = tree.children.findLast((each) => each.firstName <= name)
    if (!child) return undefined
    id = child.id
    height = tree.height - 1
  }
}

/**
 * The node at an absolute `path` below a root tree, or `undefined`. `/` itself has no node: ask for the root tree.
 * Does not follow symbolic links.
 */
export async function findNode(load: LoadObject, root: ObjectId, path: ByteString): Promise<Node | undefined> {
  let node: Node | undefined
  let tree: ObjectId | undefined = root
  for (const name of path.split('/').filter((part) => part !== '')) {
    if (!tree) return undefined
    node = await findInTree(load, tree, name as ByteString)
    tree = node?.type === 'directory' ? node.tree : undefined
    if (!node) return undefined
  }
  return node
}

/** A node's extended attributes, wherever they are stored. */
export async function loadAttributes(load: LoadObject, node: Node): Promise<readonly Attribute[]> {
  if (typeof node.attributes !== 'string') return node.attributes ?? []
  const file = `attributes ${node.attributes}`
  return attributesFromArray(decodeCbor(await load('attributes', node.attributes), file), file)
}
