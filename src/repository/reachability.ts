import { mapOrdered } from '../base/async.ts'
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
 * Memory: one bit for each stored object, and the entries of AT_ONCE objects for each level of the tree.
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

/** So many are read, and what they refer to is looked up, at once. */
const AT_ONCE = 32

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
    await this.#refer([{ metadata: [{ kind: 'tree', id: root, path: '/' as ByteString }], chunks: [] }])
    while (this.#pending.length > 0) {
      throwIfInterrupted(this.#options.signal)
      const items = this.#pending.splice(-AT_ONCE).reverse()
      const found: References[] = []
      for await (const references of mapOrdered(items, AT_ONCE, (item) => this.#read(item))) found.push(references)
      await this.#refer(found)
    }
  }

  /** What an object refers to. Two steps, since damage of stored bytes and nonsense in them are different problems. */
  async #read(item: Metadata & { readonly location: Location }): Promise<References> {
    const { location } = item
    let type: 'corrupt' | 'invalid' = 'corrupt'
    try {
      const plain = await this.#reader.loadAt(item.kind, item.id, location)
      type = 'invalid'
      return await referencesOf(item, async () => plain)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.#options.onProblem({ type, reference: item, location, error })
      return NONE
    }
  }

  /** Marks what several objects refer to. Metadata that was not marked yet will be read, in its order. */
  async #refer(found: readonly References[]): Promise<void> {
    await this.#referChunks(found.flatMap(({ chunks }) => chunks))
    const metadata = found.flatMap((references) => references.metadata)
    for (const kind of ['tree', 'list', 'attributes'] as const)
      await this.#referMetadata(
        kind,
        metadata.filter((item) => item.kind === kind),
      )
  }

  async #referMetadata(kind: Metadata['kind'], items: readonly Metadata[]): Promise<void> {
    if (items.length === 0) return
    const locations = await this.#index.locate(kind, Buffer.concat(items.map(({ id }) => idBytes(id))))
    for (let i = items.length - 1; i >= 0; i--) {
      const [item, location] = [items[i]!, locations[i]]
      if (!location) this.#options.onProblem({ type: 'missing', reference: item })
      else if (this.#add(kind, location)) this.#pending.push({ ...item, location })
    }
  }

  async #referChunks(runs: readonly ChunkReferences[]): Promise<void> {
    if (runs.length === 0) return
    const locations = await this.#index.locate('chunk', Buffer.concat(runs.map(({ ids }) => ids)))
    let next = 0
    for (const { ids, lengths, path } of runs)
      for (const [i, length] of lengths.entries()) {
        const location = locations[next++]
        if (location?.plainLength === length) {
          this.#add('chunk', location)
          continue
        }
        const reference: Reference = { kind: 'chunk', id: objectIdAt(ids, i * ID_BYTES), path }
        if (location) this.#mismatch(reference, location, length)
        else this.#options.onProblem({ type: 'missing', reference })
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

/** What an object refers to. */
interface References {
  readonly metadata: readonly Metadata[]
  readonly chunks: readonly ChunkReferences[]
}

/** Consecutive chunks of a file. */
interface ChunkReferences {
  readonly ids: Uint8Array
  readonly lengths: readonly number[]
  readonly path: ByteString
}

const NONE: References = { metadata: [], chunks: [] }

async function referencesOf(item: Metadata, load: LoadObject): Promise<References> {
  const { id, path } = item
  switch (item.kind) {
    case 'tree': {
      const tree = await loadTree(load, id, item.expected)
      if ('nodes' in tree) return referencesOfNodes(tree.nodes, path)
      return {
        metadata: childTrees(tree, item.expected).map((child) => ({ kind: 'tree', path, ...child })),
        chunks: [],
      }
    }
    case 'list': {
      const { ids, lengths } = await loadList(load, { height: item.height, id }, item.length)
      const height = item.height - 1
      if (height === 0) return { metadata: [], chunks: [{ ids, lengths, path }] }
      const idAt = (i: number): ObjectId => objectIdAt(ids, i * ID_BYTES)
      return { metadata: lengths.map((length, i) => ({ kind: 'list', id: idAt(i), path, height, length })), chunks: [] }
    }
    case 'attributes':
      attributesFromArray(decodeCbor(await load('attributes', id), `attributes ${id}`), `attributes ${id}`)
      return NONE
  }
}

function referencesOfNodes(nodes: readonly Node[], directory: ByteString): References {
  const metadata: Metadata[] = []
  const chunks: ChunkReferences[] = []
  for (const node of nodes) {
    const path = joinPath(directory, node.name)
    if (typeof node.attributes === 'string') metadata.push({ kind: 'attributes', id: node.attributes, path })
    if (node.type === 'directory') metadata.push({ kind: 'tree', id: node.tree, path })
    if (node.type !== 'file' || !node.content) continue
    const { height, id } = node.content
    if (height === 0) chunks.push({ ids: idBytes(id), lengths: [node.size], path })
    else metadata.push({ kind: 'list', id, height, length: node.size, path })
  }
  return { metadata, chunks }
}
