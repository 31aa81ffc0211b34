import type { BigIntStats } from 'node:fs'
import { type ByteString, bufferView, fromByteString } from '../base/bytes.ts'
import type { Content, FileNode } from '../format/node.ts'
import { MAX_PLAIN_BYTES } from '../format/object.ts'
import { decodeNode } from '../format/tree.ts'
import { sha3_256, shake256 } from '../native/hash.ts'
import { isUnreadable } from '../repository/damage.ts'
import { ListLookup, type PlacedChunk } from '../repository/list-lookup.ts'
import type { LoadObject } from '../repository/lists.ts'
import type { PathMatcher } from '../repository/path-patterns.ts'
import { isSameInode } from '../worker/file-signature.ts'
import type { WorkerPool } from '../worker/pool.ts'
import type { CachedEntry } from './file-cache.ts'

/**
 * Files that are written at their end only, once for all:
 *
 * - Bitcoin Core's, and its descendants', blocks and undo data (src/node/blockstorage.cpp, src/flatfile.cpp). They are lengthened by
 *   steps of 16 and 1 MiB of zeros, then written into these, and cut off behind the last record when the next file begins.
 *   After a crash, what was written since the index was last flushed (an hour at most) is written anew.
 * - geth's ancient store (core/rawdb/freezer_table.go), data and index. A rewind shortens them; when old data are
 *   dropped, the index becomes another file.
 */
export const APPEND_ONLY: readonly string[] = [
  'blocks/blk[0-9][0-9][0-9][0-9][0-9].dat',
  'blocks/rev[0-9][0-9][0-9][0-9][0-9].dat',
  ...['cdat', 'rdat', 'cidx', 'ridx'].map((type) => `ancient/**/*.${type}`),
]

/** Up to this size it is not worth the trouble. */
const LEAST_BYTES = 4 * 2 ** 20
/**
 * What is compared of the bytes to be taken over: the last chunk; one chunk in each of the last 16 MiB, which is where an hour's
 * blocks are, so that none of 2 MiB can have changed unseen; and one in each eighth of what is before.
 */
const NEAR_STRETCHES = 16
const NEAR_BYTES = 2 ** 20
const FAR_STRETCHES = 8

/** What a file had before byte `end`, where one of its chunks begins. */
export interface Kept {
  /** Of the file as it was, when it had `size` bytes. */
  readonly content: Content
  readonly size: number
  readonly end: number
}

/** What of a file, of which `cached` was known, is there still and need not be read. */
export type FindKept = (path: ByteString, stats: BigIntStats, cached: CachedEntry) => Promise<Kept | undefined>

export interface FindKeptOptions {
  /** Of these files. */
  readonly appendOnly: PathMatcher
  readonly load: LoadObject
  readonly pool: Pick<WorkerPool, 'run'>
  /** When the backup began: another time, other samples. */
  readonly startMs: number
  readonly onBytesRead: (bytes: number) => void
}

/**
 * An append-only file is taken to have only grown if it is the same inode, is longer than it was or still reaches into the
 * zeros that it ended in, and all samples of what is to be taken over are what they were. Zeros at its end are not taken
 * over: they may have been written to. Rejects nothing for a list that is lost: then nothing is kept.
 */
export function createFindKept({ appendOnly, load, pool, startMs, onBytesRead }: FindKeptOptions): FindKept {
  const isZeros = createIsZeros()

  async function areAsTheyWere(path: ByteString, chunks: readonly PlacedChunk[]): Promise<boolean> {
    const ids = Uint8Array.from(Buffer.concat(chunks.map(({ id }) => id)))
    const lengths = chunks.map(({ length }) => length)
    const bytes = lengths.reduce((sum, length) => sum + length, 0)
    const task = { path, offsets: chunks.map(({ offset }) => offset), ids, lengths }
    const { same } = await pool.run('compare', task, { bytes })
    onBytesRead(bytes)
    return !same.includes(0)
  }

  async function findKept(path: ByteString, stats: BigIntStats, node: FileNode): Promise<Kept | undefined> {
    const lookup = new ListLookup(load, node.content!, node.size)
    const last = await lastChunk(lookup, (chunk) => !isZeros(chunk))
    if (!last || last.offset === 0) return undefined
    const end = last.offset
    const size = Number(stats.size)
    const endedInZeros = end + last.length < node.size
    if (size <= node.size && !(endedInZeros && size > end)) return undefined
    const samples = await chunksAt(lookup, samplePlaces(end, `${startMs} ${path}`))
    return (await areAsTheyWere(path, samples)) ? { content: node.content!, size: node.size, end } : undefined
  }

  return async (path, stats, cached) => {
    if (!isSameInode(cached.signature, stats) || !appendOnly.matches(path, false)) return undefined
    const node = decodeNode(cached.node, 'file cache')
    if (node.type !== 'file' || node.size < LEAST_BYTES) return undefined
    try {
      return await findKept(path, stats, node)
    } catch (error) {
      if (isUnreadable(error)) return undefined
      throw error
    }
  }
}

/** The last chunk of a file that `fits`. */
async function lastChunk(lookup: ListLookup, fits: (chunk: PlacedChunk) => boolean): Promise<PlacedChunk | undefined> {
  for (let end = lookup.size; end > 0; ) {
    const chunk = await lookup.chunkAt(end - 1)
    if (fits(chunk)) return chunk
    end = chunk.offset
  }
  return undefined
}

/** Each chunk once, in the order of the file. */
async function chunksAt(lookup: ListLookup, places: Iterable<number>): Promise<PlacedChunk[]> {
  const found = new Map<number, PlacedChunk>()
  for (const place of places) {
    const chunk = await lookup.chunkAt(place)
    found.set(chunk.offset, chunk)
  }
  return [...found.values()].sort((a, b) => a.offset - b.offset)
}

/** Bytes before `end` whose chunks are compared; which they are follows from `seed`. */
function* samplePlaces(end: number, seed: string): Generator<number, void, undefined> {
  yield end - 1
  const near = Math.min(end, NEAR_STRETCHES * NEAR_BYTES)
  let stretches = 0
  const placeIn = (from: number, to: number): number =>
    from + Math.floor((to - from) * fraction(`${seed} ${stretches++}`))
  for (let to = end; to > end - near; to -= NEAR_BYTES) yield placeIn(Math.max(0, to - NEAR_BYTES), to)
  const far = end - near
  for (let i = 0; i < FAR_STRETCHES && far > 0; i++)
    yield placeIn((far * i) / FAR_STRETCHES, (far * (i + 1)) / FAR_STRETCHES)
}

/** From 0 to below 1. */
const fraction = (seed: string): number =>
  bufferView(shake256(fromByteString(seed as ByteString))).readUIntLE(0, 6) / 2 ** 48

/** Whether a chunk is all zeros, by its id. */
function createIsZeros(): (chunk: PlacedChunk) => boolean {
  const known = new Map<number, Uint8Array>()
  return ({ id, length }) => {
    if (length > MAX_PLAIN_BYTES) return false
    const zeros = known.get(length) ?? sha3_256(Buffer.alloc(length))
    known.set(length, zeros)
    return Buffer.compare(id, zeros) === 0
  }
}
