import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import type { ObjectId } from '../../src/base/ids.ts'
import { DEFAULT_CUT_PARAMETERS, SEGMENT_BYTES } from '../../src/chunker/fastcdc.ts'
import { encodeCbor } from '../../src/format/cbor.ts'
import {
  type Attribute,
  attributesToArray,
  type Content,
  MAX_INLINE_ATTRIBUTE_BYTES,
  type Node,
} from '../../src/format/node.ts'
import { RECORD_HEADER_BYTES, recordLength, sealObject } from '../../src/format/object.ts'
import type { Snapshot, SnapshotSummary } from '../../src/format/snapshot.ts'
import { encodeNode } from '../../src/format/tree.ts'
import { createCompressor } from '../../src/native/compress.ts'
import { sha3_256 } from '../../src/native/hash.ts'
import type { CutParameters } from '../../src/native/scan.ts'
import { ListBuilder } from '../../src/repository/lists.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { TreeBuilder } from '../../src/repository/trees.ts'
import type { WriteSession } from '../../src/repository/write-session.ts'
import { splitBytes } from './split.ts'

/** What a directory holds, by name (as text). */
export type Listing = Readonly<Record<string, Entry>>
/** A file's text or bytes, or anything described in full. */
export type Entry = string | Uint8Array | Described

type Described = Meta &
  (
    | { readonly file: string | Uint8Array; readonly sparse?: boolean }
    | { readonly directory: Listing }
    | { readonly symlink: string }
    | { readonly fifo: true }
    | { readonly device: 'char' | 'block'; readonly major: number; readonly minor: number }
    /** As it is: for what no honest backup makes. */
    | { readonly node: Node }
  )

export type Meta = Partial<Pick<Node, 'mode' | 'uid' | 'gid' | 'user' | 'group' | 'mtimeNs' | 'linkGroup'>> & {
  readonly attributes?: readonly Attribute[]
}

/** Chunks small enough that a few kilobytes need lists of several levels. */
export const TINY_CUTS: CutParameters = { minBytes: 64, averageBytes: 256, maxBytes: 1024, level: 1 }

/** Stores plain data as a snapshot would be, without a source to read. */
export async function storeSnapshot(
  repository: Repository,
  listing: Listing,
  cuts: CutParameters = DEFAULT_CUT_PARAMETERS,
): Promise<Snapshot> {
  const session = repository.beginWrite()
  const tree = await storeTree(session, listing, cuts)
  await session.flush()
  const sizes = sizesOf(listing)
  return snapshotOf(tree, { totalFiles: sizes.length, totalBytes: sizes.reduce((sum, size) => sum + size, 0) })
}

export async function storeTree(session: WriteSession, listing: Listing, cuts: CutParameters): Promise<ObjectId> {
  const builder = new TreeBuilder((kind, plain) => session.saveObject(kind, plain))
  const entries = Object.entries(listing).map(([name, entry]) => ({ name: byteStringOf(name), entry }))
  for (const { name, entry } of entries.sort((a, b) => (a.name < b.name ? -1 : 1)))
    await builder.add(name, encodeNode(await nodeOf(session, name, entry, cuts)))
  return builder.finish()
}

/** The content of a file, cut into chunks that are stored unless they are known. */
export async function storeContent(
  session: WriteSession,
  bytes: Uint8Array,
  cuts: CutParameters,
): Promise<{ size: number; content?: Content }> {
  const lists = new ListBuilder((kind, plain) => session.saveObject(kind, plain))
  for (let segment = 0; segment < bytes.length; segment += SEGMENT_BYTES) {
    const part = bytes.subarray(segment, segment + SEGMENT_BYTES)
    let start = 0
    for (const end of splitBytes(part, cuts)) {
      await lists.add(await storeChunk(session, part.subarray(start, end)), [end - start])
      start = end
    }
  }
  return lists.finish()
}

/** A snapshot of a tree that is stored. */
export function snapshotOf(tree: ObjectId, totals: Partial<SnapshotSummary> = {}): Snapshot {
  return {
    version: 1,
    timeMs: 0,
    kind: 'full',
    tree,
    paths: [],
    host: 'test-host',
    tags: [],
    excludes: [],
    program: 'test',
    summary: {
      filesNew: 0,
      filesChanged: 0,
      filesUnmodified: 0,
      directories: 0,
      totalFiles: 0,
      totalBytes: 0,
      bytesRead: 0,
      bytesAdded: 0,
      bytesStored: 0,
      chunksAdded: 0,
      durationMs: 0,
      ...totals,
    },
    failures: [],
    failureCount: 0,
  }
}

/** What every node needs, as this process's own. */
export const ownMeta = (): Pick<Node, 'mode' | 'uid' | 'gid' | 'mtimeNs'> => ({
  mode: 0o644,
  uid: process.getuid!(),
  gid: process.getgid!(),
  mtimeNs: 1_600_000_000_123_456_789n,
})

/** Of everything but directories. */
function sizesOf(listing: Listing): number[] {
  return Object.values(listing).flatMap((entry): number[] => {
    if (typeof entry === 'string' || entry instanceof Uint8Array) return [Buffer.from(entry).length]
    if ('directory' in entry) return sizesOf(entry.directory)
    return ['file' in entry ? Buffer.from(entry.file).length : 0]
  })
}

async function storeChunk(session: WriteSession, plain: Uint8Array): Promise<Uint8Array> {
  const id = sha3_256(plain)
  const [isNew] = await session.claim('chunk', id)
  if (isNew) {
    const target = Buffer.alloc(RECORD_HEADER_BYTES + plain.length)
    const header = sealObject('chunk', id, plain, createCompressor('auto'), target, 0)
    await session.add('chunk', { ids: id, headers: [header], records: target.subarray(0, recordLength(header)) })
  }
  return id
}

async function nodeOf(session: WriteSession, name: ByteString, entry: Entry, cuts: CutParameters): Promise<Node> {
  if (typeof entry === 'string' || entry instanceof Uint8Array) return nodeOf(session, name, { file: entry }, cuts)
  if ('node' in entry) return entry.node
  const { mode, uid, gid, user, group, mtimeNs, linkGroup } = { ...ownMeta(), ...entry }
  const attributes = entry.attributes && (await storeAttributes(session, entry.attributes))
  const base = { name, mode, uid, gid, user, group, mtimeNs, linkGroup, attributes }
  if ('file' in entry) {
    const bytes = typeof entry.file === 'string' ? Buffer.from(entry.file) : entry.file
    return { ...base, type: 'file', sparse: entry.sparse, ...(await storeContent(session, bytes, cuts)) }
  }
  if ('directory' in entry)
    return {
      ...base,
      mode: entry.mode ?? 0o755,
      type: 'directory',
      tree: await storeTree(session, entry.directory, cuts),
    }
  if ('symlink' in entry) return { ...base, mode: 0o777, type: 'symlink', target: byteStringOf(entry.symlink) }
  if ('fifo' in entry) return { ...base, type: 'fifo' }
  return { ...base, type: `${entry.device}-device`, major: entry.major, minor: entry.minor }
}

async function storeAttributes(
  session: WriteSession,
  attributes: readonly Attribute[],
): Promise<readonly Attribute[] | ObjectId> {
  const bytes = attributes.reduce((sum, { name, value }) => sum + name.length + value.length, 0)
  if (bytes <= MAX_INLINE_ATTRIBUTE_BYTES) return attributes
  return session.saveObject('attributes', encodeCbor(attributesToArray(attributes)))
}
