import { randomBytes } from 'node:crypto'
import { readdirSync, renameSync, rmSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type ByteString, ByteWriter } from '../base/bytes.ts'
import { makeDirectories } from '../base/directories.ts'
import { errnoOf } from '../base/errors.ts'
import type { ObjectId } from '../base/ids.ts'
import { BlockReader, BlockWriter } from './checked-blocks.ts'

/**
 * What this machine remembers of the source at one snapshot: for every entry the signature (inode, mode, size, mtime, ctime)
 * and its encoded node, in the order of the walk, so that the next walk can be merged with it. It is called as the snapshot's
 * root tree: whatever else becomes of the snapshot, it is used for that very tree only. It may be lost at any time: then files
 * are read again. It is not part of the repository.
 *
 *     file   = record …, in the blocks of `BlockWriter`
 *     record = u8 'H' | u8 version | u64 start of the backup in ms
 *            | u8 'D' | u16 length | name                                               a directory begins
 *            | u8 'E' | u16 length | name | u8 length | signature | u32 length | node    an entry that is none
 *            | u8 'L' | u8 length | signature | u32 length | node                        a directory ends
 */
const VERSION = 1
const BLOCK_BYTES = 64 * 1024
const TYPE = { header: 0x48, directory: 0x44, entry: 0x45, leave: 0x4c } as const

/** What was known of an entry. */
export interface CachedEntry {
  readonly signature: string
  /** As `encodeNode` wrote it. */
  readonly node: Uint8Array
}

const folderOf = (cacheDirectory: string): string => join(cacheDirectory, 'files')

/** Writes the cache of a backup in progress; nothing is kept unless `commit` is called. */
export class FileCacheWriter implements Disposable {
  readonly #folder: string
  readonly #path: string
  readonly #blocks: BlockWriter
  #isOpen = true

  constructor(cacheDirectory: string, startMs: number) {
    this.#folder = folderOf(cacheDirectory)
    makeDirectories(this.#folder)
    this.#path = join(this.#folder, `unfinished-${randomBytes(8).toString('hex')}`) // there may be several at once
    this.#blocks = new BlockWriter(this.#path, BLOCK_BYTES)
    this.#blocks.push(new ByteWriter(10).u8(TYPE.header).u8(VERSION).u64(startMs).finish())
  }

  enter(name: ByteString): void {
    this.#blocks.u8(TYPE.directory).sized(2, name)
  }

  entry(name: ByteString, { signature, node }: CachedEntry): void {
    this.#blocks.u8(TYPE.entry).sized(2, name).sized(1, signature).sized(4, node)
  }

  leave({ signature, node }: CachedEntry): void {
    this.#blocks.u8(TYPE.leave).sized(1, signature).sized(4, node)
  }

  /** Makes it the cache of a root tree. */
  commit(tree: ObjectId): void {
    this.#blocks.flush()
    renameSync(this.#path, join(this.#folder, tree))
    this.#close()
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return
    this.#close()
    unlinkSync(this.#path)
  }

  #close(): void {
    this.#isOpen = false
    this.#blocks.close()
  }
}

type CacheRecord =
  | { readonly type: 'directory'; readonly name: ByteString }
  | ({ readonly type: 'entry'; readonly name: ByteString } & CachedEntry)
  | ({ readonly type: 'leave' } & CachedEntry)

/** Reads a cache in step with a walk. What is damaged or cannot be read is its end. Memory: one block and one record. */
export class FileCacheReader implements Disposable {
  /** When the backup began that wrote it. */
  readonly startMs: number
  readonly #blocks: BlockReader
  #next: CacheRecord | undefined

  /** `undefined` if this machine remembers nothing of the root tree, or cannot read what it does. */
  static open(cacheDirectory: string, tree: ObjectId): FileCacheReader | undefined {
    try {
      const reader = new FileCacheReader(new BlockReader(join(folderOf(cacheDirectory), tree)))
      return reader.startMs === Number.POSITIVE_INFINITY ? undefined : reader
    } catch (error) {
      if (errnoOf(error) !== undefined) return undefined
      throw error
    }
  }

  private constructor(blocks: BlockReader) {
    this.#blocks = blocks
    this.startMs = this.#readHeader()
    if (this.startMs === Number.POSITIVE_INFINITY) this[Symbol.dispose]()
    else this.#advance()
  }

  /**
   * What was known of the entry `name` of the current directory. Names must be asked for in order; `onSkipped` hears when
   * something that was there before has been passed over, or was a directory.
   */
  entry(name: ByteString, onSkipped: () => void): CachedEntry | undefined {
    const record = this.#seek(name, onSkipped)
    if (record?.type === 'entry') {
      this.#advance()
      return record
    }
    if (record) this.#pass(onSkipped)
    return undefined
  }

  /** Whether there was a directory `name`; then it is the current one until `leave`. `onSkipped` as with `entry`. */
  enter(name: ByteString, onSkipped: () => void): boolean {
    const record = this.#seek(name, onSkipped)
    if (!record) return false
    if (record.type === 'directory') this.#advance()
    else this.#pass(onSkipped)
    return record.type === 'directory'
  }

  /** Ends the current directory and answers what was known of it. */
  leave(onSkipped: () => void): CachedEntry | undefined {
    while (this.#next && this.#next.type !== 'leave') this.#pass(onSkipped)
    const record = this.#next
    this.#advance()
    return record
  }

  [Symbol.dispose](): void {
    this.#blocks.close()
    this.#next = undefined
  }

  /** Passes over names before `name`; answers the record of that name. */
  #seek(name: ByteString, onSkipped: () => void): Exclude<CacheRecord, { type: 'leave' }> | undefined {
    while (this.#next && this.#next.type !== 'leave' && this.#next.name < name) this.#pass(onSkipped)
    return this.#next && this.#next.type !== 'leave' && this.#next.name === name ? this.#next : undefined
  }

  /** Passes over one entry, or a directory with all that is in it. */
  #pass(onSkipped: () => void): void {
    onSkipped()
    let depth = 0
    do {
      if (this.#next?.type === 'directory') depth++
      else if (this.#next?.type === 'leave') depth--
      this.#advance()
    } while (depth > 0 && this.#next)
  }

  #readHeader(): number {
    const header = this.#blocks.take(10)
    if (!header) return Number.POSITIVE_INFINITY
    const startMs = Number(header.readBigUInt64LE(2))
    const isKnown = header[0] === TYPE.header && header[1] === VERSION && Number.isSafeInteger(startMs)
    return isKnown ? startMs : Number.POSITIVE_INFINITY
  }

  #advance(): void {
    this.#next = this.#readRecord()
  }

  #readRecord(): CacheRecord | undefined {
    const type = this.#blocks.number(1)
    if (type === TYPE.leave) {
      const cached = this.#readCached()
      return cached && { type: 'leave', ...cached }
    }
    if (type !== TYPE.directory && type !== TYPE.entry) return undefined
    const name = this.#blocks.textSized(2)
    if (name === undefined) return undefined
    if (type === TYPE.directory) return { type: 'directory', name }
    const cached = this.#readCached()
    return cached && { type: 'entry', name, signature: cached.signature, node: cached.node }
  }

  #readCached(): CachedEntry | undefined {
    const signature = this.#blocks.textSized(1)
    const node = signature === undefined ? undefined : this.#blocks.takeSized(4)
    return node && { signature: signature!, node }
  }
}

/** What a killed run has left behind is removed after this long. */
const UNFINISHED_FOR_MS = 7 * 24 * 3600 * 1000

/**
 * Removes the caches that `keep` does not want, unless they were written since `startMs`: another backup may just have
 * made them.
 */
export function pruneFileCaches(cacheDirectory: string, startMs: number, keep: (tree: string) => boolean): void {
  const folder = folderOf(cacheDirectory)
  for (const name of readdirSync(folder)) {
    const until = name.startsWith('unfinished-') ? startMs - UNFINISHED_FOR_MS : keep(name) ? 0 : startMs
    const stats = statSync(join(folder, name), { throwIfNoEntry: false })
    if (stats?.isFile() && stats.mtimeMs < until) rmSync(join(folder, name), { force: true })
  }
}
