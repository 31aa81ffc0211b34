import { type ByteString, joinPath } from '../base/bytes.ts'
import { type ChainkeepError, throwIfInterrupted } from '../base/errors.ts'
import { ID_BYTES, idBytes, type ObjectId, objectIdAt } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import { decodeCbor } from '../format/cbor.ts'
import { attributesFromArray, type Node } from '../format/node.ts'
import { corrupt, type ObjectKind } from '../format/object.ts'
import { packClassOf } from '../format/pack.ts'
import { isUnreadable } from './damage.ts'
import { type LoadObject, loadList } from './lists.ts'
import type { Location, ObjectIndex } from './object-index.ts'
import { ObjectReader } from './object-reader.ts'
import { OrdinalSet } from './ordinal-set.ts'
import type { Repository } from './repository.ts'
import { childTrees, type ExpectedTree, loadTree } from './trees.ts'

export interface ReachabilityOptions {
  /** Marks of an earlier call, to be added to: what they hold is neither walked nor heard of again. */
  readonly marks?: OrdinalSet
  /** Hears of every object that is marked, once. */
  readonly onMark?: (kind: ObjectKind, location: Location) => void
  /** Hears of an object that is missing each time that something refers to it; of any other problem once. */
  readonly onProblem: (problem: ReferenceProblem) => void
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

/** What something that is reachable refers to. */
export interface Reference {
  readonly kind: ObjectKind
  readonly id: ObjectId
  /** The file or directory whose it is, in the first root that it was met in. */
  readonly path: ByteString
}

/**
 * `missing`: no pack is known to hold it. `corrupt`: its stored bytes are damaged, or cannot be read. `invalid`: they are as they were written,
 * and yet not what refers to them says: no such list or tree, or of another length.
 */
export type ReferenceProblem =
  | { readonly type: 'missing'; readonly reference: Reference }
  | {
      readonly type: 'corrupt' | 'invalid'
      readonly reference: Reference
      readonly location: Location
      readonly error: ChainkeepError
    }

/**
 * Marks the ordinal of every object that the root trees reach, and reads all their trees, lists and attribute sets on the
 * way, each once, however many roots share it. Chunks are only looked up. What is behind a problem is not marked.
 * Memory: one bit for each stored object, and the entries of one object for each level of the tree.
 */
export async function markReachable(
  repository: Repository,
  roots: readonly ObjectId[],
  options: ReachabilityOptions,
): Promise<OrdinalSet> {
  const { progress = noProgress } = options
  const marker = new Marker(repository, await repository.index(), options)
  for (const [i, root] of roots.entries()) {
    progress({ phase: 'finding what is used', unit: 'snapshots', filesDone: i, totalFiles: roots.length })
    await marker.mark(root)
  }
  return marker.marks
}

/** A metadata object to be read, with what refers to it says of it. */
type Metadata = { readonly id: ObjectId; readonly path: ByteString } & (
  | { readonly kind: 'tree'; readonly expected?: ExpectedTree }
  | { readonly kind: 'list'; readonly height: number; readonly length: number }
  | { readonly kind: 'attributes' }
)

class Marker {
  readonly marks: OrdinalSet
  readonly #index: ObjectIndex
  readonly #reader: ObjectReader
  readonly #options: ReachabilityOptions
  /** Marked and still to be read; the last comes first. */
  readonly #pending: (Metadata & { readonly location: Location })[] = []

  constructor(repository: Repository, index: ObjectIndex, options: ReachabilityOptions) {
    this.marks = options.marks ?? new OrdinalSet(index.ordinalLimit)
    this.#index = index
    this.#reader = new ObjectReader(repository.backend, async () => index)
    this.#options = options
  }

  async mark(root: ObjectId): Promise<void> {
    await this.#refer('tree', [{ kind: 'tree', id: root, path: '/' as ByteString }])
    for (let next = this.#pending.pop(); next; next = this.#pending.pop()) {
      throwIfInterrupted(this.#options.signal)
      await this.#read(next, next.location)
    }
  }

  /** Two steps, since damage of stored bytes and nonsense in them are different problems. */
  async #read(item: Metadata, location: Location): Promise<void> {
    let type: 'corrupt' | 'invalid' = 'corrupt'
    try {
      const plain = await this.#reader.loadAt(item.kind, item.id, location)
      type = 'invalid'
      await this.#expand(item, async () => plain)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.#options.onProblem({ type, reference: item, location, error })
    }
  }

  async #expand(item: Metadata, load: LoadObject): Promise<void> {
    const { id, path } = item
    switch (item.kind) {
      case 'tree': {
        const tree = await loadTree(load, id, item.expected)
        if ('nodes' in tree) return await this.#expandNodes(tree.nodes, path)
        return await this.#refer(
          'tree',
          childTrees(tree, item.expected).map((child) => ({ kind: 'tree', path, ...child })),
        )
      }
      case 'list': {
        const { ids, lengths } = await loadList(load, { height: item.height, id }, item.length)
        if (item.height === 1) return await this.#referChunks(ids, lengths, () => path)
        const height = item.height - 1
        return await this.#refer(
          'list',
          lengths.map((length, i) => ({ kind: 'list', id: objectIdAt(ids, i * ID_BYTES), path, height, length })),
        )
      }
      case 'attributes':
        attributesFromArray(decodeCbor(await load('attributes', id), `attributes ${id}`), `attributes ${id}`)
    }
  }

  async #expandNodes(nodes: readonly Node[], directory: ByteString): Promise<void> {
    const found: Record<'tree' | 'list' | 'attributes', Metadata[]> = { tree: [], list: [], attributes: [] }
    const chunks: { id: ObjectId; length: number; path: ByteString }[] = []
    for (const node of nodes) {
      const path = joinPath(directory, node.name)
      if (typeof node.attributes === 'string') found.attributes.push({ kind: 'attributes', id: node.attributes, path })
      if (node.type === 'directory') found.tree.push({ kind: 'tree', id: node.tree, path })
      if (node.type !== 'file' || !node.content) continue
      const { height, id } = node.content
      if (height === 0) chunks.push({ id, length: node.size, path })
      else found.list.push({ kind: 'list', id, height, length: node.size, path })
    }
    const ids = Buffer.concat(chunks.map(({ id }) => idBytes(id)))
    const lengths = chunks.map(({ length }) => length)
    await this.#referChunks(ids, lengths, (i) => chunks[i]!.path)
    for (const kind of ['tree', 'list', 'attributes'] as const) await this.#refer(kind, found[kind])
  }

  /** Marks metadata objects of one kind; those that were not marked yet will be read, in their order. */
  async #refer(kind: Metadata['kind'], items: readonly Metadata[]): Promise<void> {
    if (items.length === 0) return
    const locations = await this.#index.locate(kind, Buffer.concat(items.map(({ id }) => idBytes(id))))
    for (let i = items.length - 1; i >= 0; i--) {
      const [item, location] = [items[i]!, locations[i]]
      if (!location) this.#options.onProblem({ type: 'missing', reference: item })
      else if (this.#add(kind, location)) this.#pending.push({ ...item, location })
    }
  }

  async #referChunks(ids: Uint8Array, lengths: readonly number[], pathOf: (i: number) => ByteString): Promise<void> {
    if (lengths.length === 0) return
    for (const [i, location] of (await this.#index.locate('chunk', ids)).entries()) {
      if (location && this.marks.has(location.ordinal) && location.plainLength === lengths[i]) continue
      const reference: Reference = { kind: 'chunk', id: objectIdAt(ids, i * ID_BYTES), path: pathOf(i) }
      if (!location) this.#options.onProblem({ type: 'missing', reference })
      else if (location.plainLength !== lengths[i]) this.#mismatch(reference, location, lengths[i]!)
      else this.#add('chunk', location)
    }
  }

  #mismatch(reference: Reference, location: Location, length: number): void {
    this.#add('chunk', location)
    const file = `${packClassOf('chunk')}/${location.pack}`
    const what = `chunk ${reference.id} has ${location.plainLength} bytes where a file has ${length}`
    this.#options.onProblem({ type: 'invalid', reference, location, error: corrupt(file, location.offset, what) })
  }

  #add(kind: ObjectKind, location: Location): boolean {
    const isNew = this.marks.add(location.ordinal)
    if (isNew) this.#options.onMark?.(kind, location)
    return isNew
  }
}
