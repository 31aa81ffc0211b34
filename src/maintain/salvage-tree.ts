import { type ByteString, joinPath } from '../base/bytes.ts'
import { throwIfInterrupted } from '../base/errors.ts'
import { ID_BYTES, idBytes, type ObjectId, objectIdAt } from '../base/ids.ts'
import type { Content, FileNode, Node } from '../format/node.ts'
import type { ObjectKind } from '../format/object.ts'
import { type Failure, MAX_LISTED_FAILURES } from '../format/snapshot.ts'
import { encodeNode } from '../format/tree.ts'
import { isDamage } from '../repository/damage.ts'
import { loadList, type SaveObject } from '../repository/lists.ts'
import type { Location, ObjectIndex } from '../repository/object-index.ts'
import { OrdinalSet } from '../repository/ordinal-set.ts'
import type { Repository } from '../repository/repository.ts'
import { childTrees, type ExpectedTree, loadAttributes, loadTree, TreeBuilder } from '../repository/trees.ts'

/** What is lost of a directory. */
export interface Losses {
  readonly count: number
  /** At most MAX_LISTED_FAILURES of them. */
  readonly listed: readonly Failure[]
  /** Of those whose size is known. */
  readonly files: number
  readonly bytes: number
}

export interface Salvaged {
  /** The tree without what is lost: the same when nothing is, and `undefined` when nothing is left. */
  readonly tree: ObjectId | undefined
  readonly losses: Losses
}

/** Damaged directories remembered. Beyond that some are looked at again. */
const MAX_REMEMBERED = 1000

/**
 * Finds out what of trees can still be read, and makes new trees of it. A file that lacks a part is left out as a whole. What is
 * found whole is remembered in one bit an object, so that what snapshots share is looked at once. Rejects UNSUPPORTED for what
 * only a newer version can read, and errors of the backend that say nothing about what is stored.
 */
export class TreeSalvage {
  readonly #repository: Repository
  readonly #index: ObjectIndex
  readonly #isLost: (location: Location) => boolean
  readonly #save: SaveObject
  readonly #signal: AbortSignal | undefined
  readonly #whole: OrdinalSet
  readonly #damaged = new Map<ObjectId, Salvaged>()

  /** `isLost` tells of objects that have a place in a pack whether they are damaged there. `save` stores the new trees. */
  constructor(
    repository: Repository,
    index: ObjectIndex,
    isLost: (location: Location) => boolean,
    save: SaveObject,
    signal?: AbortSignal,
  ) {
    this.#repository = repository
    this.#index = index
    this.#isLost = isLost
    this.#save = save
    this.#signal = signal
    this.#whole = new OrdinalSet(index.ordinalLimit)
  }

  /** What is left of a snapshot, given its root tree. Paths of losses are absolute. */
  async salvage(root: ObjectId): Promise<Salvaged> {
    const { tree, losses } = await this.#directory(root)
    const absolute = new LossList()
    absolute.addAll('/' as ByteString, losses)
    return { tree, losses: absolute }
  }

  async #directory(id: ObjectId): Promise<Salvaged> {
    throwIfInterrupted(this.#signal)
    const known = this.#damaged.get(id)
    if (known) return known
    const found: Findings = { losses: new LossList(), changed: new Map(), isGone: false }
    if (await this.#tree(id, undefined, found)) return { tree: id, losses: found.losses }
    const salvaged = { tree: found.isGone ? undefined : await this.#rebuild(id, found.changed), losses: found.losses }
    if (this.#damaged.size >= MAX_REMEMBERED) this.#damaged.clear()
    this.#damaged.set(id, salvaged)
    return salvaged
  }

  /** Answers whether one tree object and all below it is whole. */
  async #tree(id: ObjectId, expected: ExpectedTree | undefined, found: Findings): Promise<boolean> {
    const [location] = await this.#index.locate('tree', idBytes(id))
    if (location && this.#whole.has(location.ordinal)) return true
    const reason = await this.#lossOf('tree', id, location)
    const tree = reason ?? (await orReason(loadTree(this.#repository.load, id, expected)))
    if (typeof tree === 'string') {
      found.isGone ||= expected === undefined
      found.losses.add('' as ByteString, expected ? `${expected.count} entries are lost: ${tree}` : tree)
      return false
    }
    let isWhole = true
    if ('nodes' in tree) isWhole = await this.#nodes(tree.nodes, found)
    else
      for (const child of childTrees(tree, expected))
        isWhole = (await this.#tree(child.id, child.expected, found)) && isWhole
    if (isWhole) this.#whole.add(location!.ordinal)
    return isWhole
  }

  async #nodes(nodes: readonly Node[], found: Findings): Promise<boolean> {
    const locations = await this.#locateContents(nodes)
    let isWhole = true
    for (const [i, node] of nodes.entries()) {
      const left = await this.#node(node, locations[i], found.losses)
      if (left === node) continue
      found.changed.set(node.name, left)
      isWhole = false
    }
    return isWhole
  }

  /** What is left of one entry: the same, another, or nothing. */
  async #node(node: Node, location: Location | undefined, losses: LossList): Promise<Node | undefined> {
    let left: Node | undefined = node
    if (node.type === 'file') {
      const reason = await this.#fileLoss(node, location)
      if (reason !== undefined) {
        losses.add(node.name, reason, node.size)
        return undefined
      }
    } else if (node.type === 'directory') {
      const below = await this.#directory(node.tree)
      losses.addAll(node.name, below.losses)
      if (!below.tree) return undefined
      if (below.losses.count > 0) left = { ...node, tree: below.tree }
    }
    const reason = await this.#attributesLoss(node)
    if (reason === undefined) return left
    losses.add(node.name, `its extended attributes are lost: ${reason}`)
    return { ...left, attributes: undefined }
  }

  async #attributesLoss(node: Node): Promise<string | undefined> {
    const id = node.attributes
    if (typeof id !== 'string') return undefined
    const [location] = await this.#index.locate('attributes', idBytes(id))
    const loaded =
      (await this.#lossOf('attributes', id, location)) ?? (await orReason(loadAttributes(this.#repository.load, node)))
    return typeof loaded === 'string' ? loaded : undefined
  }

  async #fileLoss({ content, size }: FileNode, location: Location | undefined): Promise<string | undefined> {
    if (!content) return undefined
    if (content.height === 0) return this.#lossOf('chunk', content.id, location, size)
    return await this.#listLoss(content, size, location)
  }

  /** Why the content below a list cannot be had: the first reason found. */
  async #listLoss(content: Content, length: number, location: Location | undefined): Promise<string | undefined> {
    const loss = await this.#lossOf('list', content.id, location)
    if (loss !== undefined) return loss
    if (this.#whole.has(location!.ordinal)) return undefined
    const list = await orReason(loadList(this.#repository.load, content, length))
    if (typeof list === 'string') return list
    const height = content.height - 1
    const places = await this.#index.locate(height === 0 ? 'chunk' : 'list', list.ids)
    for (const [i, below] of list.lengths.entries()) {
      const id = objectIdAt(list.ids, i * ID_BYTES)
      const reason =
        height === 0
          ? await this.#lossOf('chunk', id, places[i], below)
          : await this.#listLoss({ height, id }, below, places[i])
      if (reason !== undefined) return reason
    }
    this.#whole.add(location!.ordinal)
    return undefined
  }

  /** Any sound copy will do: one that is damaged is no loss while another is not. */
  async #lossOf(
    kind: ObjectKind,
    id: ObjectId,
    location: Location | undefined,
    length?: number,
  ): Promise<string | undefined> {
    if (!location) return `${kind} ${id} is missing`
    if (this.#isLost(location) && (await this.#index.locateCopies(kind, idBytes(id))).every(this.#isLost))
      return `${kind} ${id} is damaged`
    if (length !== undefined && location.plainLength !== length)
      return `${kind} ${id} has ${location.plainLength} bytes, not ${length}`
    return undefined
  }

  /** Where the roots of the files' contents are, for many files at once. */
  async #locateContents(nodes: readonly Node[]): Promise<(Location | undefined)[]> {
    const found: (Location | undefined)[] = []
    for (const kind of ['chunk', 'list'] as const) {
      const wanted = [...nodes.entries()].flatMap(([i, node]) => {
        const content = node.type === 'file' ? node.content : undefined
        return content && (content.height === 0) === (kind === 'chunk') ? [{ i, id: idBytes(content.id) }] : []
      })
      if (wanted.length === 0) continue
      const locations = await this.#index.locate(kind, Buffer.concat(wanted.map(({ id }) => id)))
      for (const [at, { i }] of wanted.entries()) found[i] = locations[at]
    }
    return found
  }

  /** The directory's tree with `changed` entries replaced or left out. */
  async #rebuild(id: ObjectId, changed: ReadonlyMap<ByteString, Node | undefined>): Promise<ObjectId> {
    const builder = new TreeBuilder(this.#save)
    for await (const node of this.#readableNodes(id)) {
      const left = changed.has(node.name) ? changed.get(node.name) : node
      if (left) await builder.add(left.name, encodeNode(left))
    }
    return await builder.finish()
  }

  async *#readableNodes(id: ObjectId, expected?: ExpectedTree): AsyncGenerator<Node, void, undefined> {
    const tree = await orReason(loadTree(this.#repository.load, id, expected))
    if (typeof tree === 'string') return
    if ('nodes' in tree) return yield* tree.nodes
    for (const child of childTrees(tree, expected)) yield* this.#readableNodes(child.id, child.expected)
  }
}

/** What was found in the tree objects of one directory. */
interface Findings {
  readonly losses: LossList
  /** Entries that are not whole: what is left of them. */
  readonly changed: Map<ByteString, Node | undefined>
  /** Not even the directory's root tree can be read. */
  isGone: boolean
}

class LossList implements Losses {
  count = 0
  files = 0
  bytes = 0
  readonly listed: Failure[] = []

  /** `size` is given for files. */
  add(path: ByteString, reason: string, size?: number): void {
    this.count++
    if (size !== undefined) {
      this.files++
      this.bytes += size
    }
    if (this.listed.length < MAX_LISTED_FAILURES) this.listed.push({ path, reason })
  }

  addAll(directory: ByteString, losses: Losses): void {
    this.count += losses.count
    this.files += losses.files
    this.bytes += losses.bytes
    for (const { path, reason } of losses.listed) {
      if (this.listed.length >= MAX_LISTED_FAILURES) return
      this.listed.push({ path: path === '' ? directory : joinPath(directory, path), reason })
    }
  }
}

/** The result, or why it cannot be had. What only a newer version can read is not lost. */
async function orReason<T>(loading: Promise<T>): Promise<T | string> {
  try {
    return await loading
  } catch (error) {
    if (!isDamage(error) || error.code === 'UNSUPPORTED') throw error
    return error.message
  }
}
