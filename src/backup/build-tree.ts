import type { BigIntStats } from 'node:fs'
import { Unbatched } from '../base/async.ts'
import { type ByteString, fromByteString } from '../base/bytes.ts'
import { errnoOf, reasonOf } from '../base/errors.ts'
import type { ObjectId } from '../base/ids.ts'
import type { Node } from '../format/node.ts'
import { decodeNode, encodeNode } from '../format/tree.ts'
import { shake256 } from '../native/hash.ts'
import { type EncodedNode, TreeBuilder } from '../repository/trees.ts'
import { fileSignature } from '../worker/file-signature.ts'
import type { CachedEntry, FileCacheWriter } from './file-cache.ts'
import { directoryNode, fileNode, type NodeMaker, specialNode } from './node-of.ts'
import { ancestorSignature, inodeOf, type PlannedItem } from './plan-reads.ts'
import type { FileReader, ReadOutcome, Segment } from './read-files.ts'

export type ItemAction = 'new' | 'changed' | 'unmodified'

export interface BuildOptions {
  readonly maker: NodeMaker
  readonly reader: FileReader
  /** Remembers what was found for the next backup. */
  readonly remember: Pick<FileCacheWriter, 'enter' | 'entry' | 'leave'> | undefined
  /** The root tree of the backup that the plan was compared with; absent when nothing of it is to be taken over. */
  readonly parentTree: ObjectId | undefined
  readonly onFile: (path: ByteString, action: ItemAction, size: number) => void
  readonly onDirectory: () => void
  /** An entry that is left out, or torn. */
  readonly onFailure: (path: ByteString, reason: string) => void
  /** An entry that cannot be stored at all, such as a socket. */
  readonly onUnsupported: (path: ByteString) => void
}

/**
 * Builds the trees of a backup from the planned items, bottom up. A directory in which nothing changed keeps its tree
 * without being encoded or looked up again. Memory: the nodes of the directories on the current path, as long as nothing
 * in them has changed.
 */
export async function buildTree(
  batches: AsyncIterable<readonly PlannedItem[]>,
  options: BuildOptions,
): Promise<ObjectId> {
  const items = new Unbatched(batches)
  const build = new TreeBuild(options, items)
  try {
    for (;;) {
      const item = items.take() ?? (await items.wait())
      if (!item) throw new RangeError('the plan ended before its root')
      const root = await build.take(item)
      if (root) return root
    }
  } finally {
    await items.stop()
  }
}

interface Frame {
  readonly name: ByteString
  readonly stats: BigIntStats | undefined
  readonly isAncestor: boolean
  /** As long as nothing differs from the parent: the nodes so far. */
  unchanged: EncodedNode[] | undefined
  readonly builder: TreeBuilder
}

class TreeBuild {
  readonly #options: BuildOptions
  readonly #items: Unbatched<PlannedItem>
  readonly #frames: Frame[] = []
  /** Files with several names, by inode: their token, which no other has, and what was read of the first. */
  readonly #links = new Map<string, Link>()
  readonly #groups = new Set<string>()

  constructor(options: BuildOptions, items: Unbatched<PlannedItem>) {
    this.#options = options
    this.#items = items
    this.#push('' as ByteString, undefined, false, options.parentTree !== undefined)
  }

  /** Answers the root once it is complete. */
  async take(item: PlannedItem): Promise<ObjectId | undefined> {
    switch (item.type) {
      case 'enter':
        this.#options.remember?.enter(item.name)
        this.#push(item.name, item.stats, item.isAncestor, item.wasThere && this.#options.parentTree !== undefined)
        return undefined
      case 'leave':
        return this.#leave(item)
      case 'unmodified':
        await this.#unmodified(item)
        return undefined
      case 'entry':
        await this.#entry(item)
        return undefined
      case 'segment':
        throw new RangeError('a segment without its file')
    }
  }

  #push(name: ByteString, stats: BigIntStats | undefined, isAncestor: boolean, mayBeUnchanged: boolean): void {
    const builder = new TreeBuilder(this.#options.maker.save)
    this.#frames.push({ name, stats, isAncestor, builder, unchanged: mayBeUnchanged ? [] : undefined })
  }

  async #leave({ path, cached, unmodified, shrunk }: PlannedItem & { type: 'leave' }): Promise<ObjectId | undefined> {
    const { remember, parentTree, onDirectory } = this.#options
    const frame = this.#frames.pop()!
    if (shrunk) await markChanged(frame)
    if (!frame.stats) {
      remember?.leave({ signature: '', node: new Uint8Array(0) })
      return frame.unchanged && cached ? parentTree! : this.#finish(frame)
    }
    const found =
      frame.unchanged && cached && unmodified ? cached : await this.#directory(path, frame, frame.stats, cached)
    onDirectory()
    remember?.leave(found)
    await this.#add(frame.name, found.node, cached)
    return undefined
  }

  async #directory(
    path: ByteString,
    frame: Frame,
    stats: BigIntStats,
    cached: CachedEntry | undefined,
  ): Promise<CachedEntry> {
    const { maker } = this.#options
    const tree = await this.#treeOf(frame, cached)
    let isWhole = true
    const onError: NodeMaker['onError'] = (...failure) => {
      isWhole = false
      maker.onError(...failure)
    }
    const node = encodeNode(await directoryNode({ ...maker, onError }, path, frame.name, stats, tree, frame.isAncestor))
    const signature = frame.isAncestor ? ancestorSignature(stats) : fileSignature(stats)
    return { signature: isWhole ? signature : READ_AGAIN, node }
  }

  async #treeOf(frame: Frame, cached: CachedEntry | undefined): Promise<ObjectId> {
    const before = cached && decodeNode(cached.node, 'file cache')
    if (frame.unchanged && before?.type === 'directory') return before.tree
    return this.#finish(frame)
  }

  async #finish(frame: Frame): Promise<ObjectId> {
    await markChanged(frame)
    return frame.builder.finish()
  }

  async #unmodified({ entries }: PlannedItem & { type: 'unmodified' }): Promise<void> {
    const { onFile, remember } = this.#options
    const frame = this.#frames.at(-1)!
    const nodes = entries.map(({ path, name, stats, cached }) => {
      if (stats.isFile()) onFile(path, 'unmodified', Number(stats.size))
      const node = stats.nlink > 1n ? this.#regroup(path, stats, cached.node) : cached.node
      remember?.entry(name, { signature: cached.signature, node })
      return { name, node }
    })
    if (!entries.every(({ cached }, i) => nodes[i]!.node === cached.node)) await markChanged(frame)
    if (frame.unchanged) for (const node of nodes) frame.unchanged.push(node)
    else await frame.builder.addAll(nodes)
  }

  /** Names that were linked before may have moved away, and others be linked where they were. */
  #regroup(path: ByteString, stats: BigIntStats, encoded: Uint8Array): Uint8Array {
    const node = decodeNode(encoded, 'file cache')
    const { group } = this.#linkOf(stats, path, node.linkGroup)
    return group === node.linkGroup ? encoded : encodeNode({ ...node, linkGroup: group })
  }

  async #entry(item: PlannedItem & { type: 'entry' }): Promise<void> {
    const { path, name, cached } = item
    const { remember, onFailure, onUnsupported, onFile } = this.#options
    const made = await this.#makeNode(item)
    if (made.type === 'failed' || !made.node) {
      if (cached) await markChanged(this.#frames.at(-1)!) // what is left out is not taken over either
      return made.type === 'failed' ? onFailure(path, made.reason) : onUnsupported(path)
    }
    const { node, stats, torn } = made
    const encoded = encodeNode(node)
    if (torn) onFailure(path, 'it changed while it was read, every time')
    remember?.entry(name, { signature: torn ? READ_AGAIN : fileSignature(stats), node: encoded })
    if (node.type === 'file')
      onFile(path, cached ? (sameBytes(encoded, cached.node) ? 'unmodified' : 'changed') : 'new', node.size)
    await this.#add(name, encoded, cached)
  }

  async #makeNode(item: PlannedItem & { type: 'entry' }): Promise<MadeNode> {
    const { path, name, stats } = item
    const { maker } = this.#options
    const link = stats.nlink > 1n ? this.#linkOf(stats, path) : undefined
    if (!stats.isFile()) return tryMake(stats, () => specialNode(maker, path, name, stats, link?.group))
    const outcome = item.isLink && link?.content ? link.content : await this.#read(item)
    if (outcome.type === 'failed') return outcome
    if (link) link.content = outcome
    const { file } = outcome
    return tryMake(outcome.stats, () => fileNode(maker, path, name, outcome.stats, file, link?.group), file.torn)
  }

  /** A new token is made of the first name, so that it is the same as long as that is there. */
  #linkOf(stats: BigIntStats, path: ByteString, group: string = groupOf(path)): Link {
    const inode = inodeOf(stats)
    let link = this.#links.get(inode)
    if (!link) {
      while (this.#groups.has(group)) group = groupOf(group as ByteString)
      this.#groups.add(group)
      this.#links.set(inode, (link = { group }))
    }
    return link
  }

  /** Takes the file's segments, which are the next items. A further name whose first could not be read has none. */
  #read({ path, stats, segments, kept, isLink }: PlannedItem & { type: 'entry' }): Promise<ReadOutcome> {
    if (isLink) return this.#options.reader.assemble(path, stats)
    const items = this.#items
    async function* follow(): AsyncGenerator<Segment, void, undefined> {
      for (let n = 0; n < segments; n++) {
        const next = items.take() ?? (await items.wait())
        if (next?.type !== 'segment') throw new RangeError('a file without its segments')
        yield next.result
      }
    }
    return this.#options.reader.assemble(path, stats, follow(), kept)
  }

  async #add(name: ByteString, node: Uint8Array, cached: CachedEntry | undefined): Promise<void> {
    const frame = this.#frames.at(-1)!
    if (frame.unchanged && cached && sameBytes(node, cached.node)) {
      frame.unchanged.push({ name, node })
      return
    }
    if (frame.unchanged) await markChanged(frame)
    await frame.builder.add(name, node)
  }
}

interface Link {
  readonly group: string
  content?: ReadOutcome & { type: 'read' }
}

const groupOf = (seed: ByteString): string => Buffer.from(shake256(fromByteString(seed))).toString('hex', 0, 8)

type MadeNode =
  | { readonly type: 'failed'; readonly reason: string }
  | { readonly type: 'made'; readonly node: Node | undefined; readonly stats: BigIntStats; readonly torn: boolean }

/** The entry may have gone since it was looked at. */
async function tryMake(
  stats: BigIntStats,
  make: () => Node | undefined | Promise<Node | undefined>,
  torn = false,
): Promise<MadeNode> {
  try {
    return { type: 'made', node: await make(), stats, torn }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return { type: 'failed', reason: reasonOf(error) }
  }
}

/** From here on the directory's nodes go into its tree. */
async function markChanged(frame: Frame): Promise<void> {
  const held = frame.unchanged
  if (!held) return
  frame.unchanged = undefined
  await frame.builder.addAll(held)
}

/** No entry's signature. What is in the snapshot must be remembered in any case, so that its removal is noticed. */
const READ_AGAIN = ''
const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
