import type { BigIntStats } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { ByteString } from '../base/bytes.ts'
import { throwIfInterrupted } from '../base/errors.ts'
import { fileSignature, isRacy } from '../worker/file-signature.ts'
import type { CachedEntry, FileCacheReader } from './file-cache.ts'
import type { FindKept, Kept } from './grown-files.ts'
import { type BegunSegment, type FileReader, SMALL_BYTES } from './read-files.ts'
import type { SourceEvent } from './walk.ts'

/** What the tree is built from, in the order of the walk. */
export type PlannedItem =
  | {
      readonly type: 'enter'
      readonly path: ByteString
      readonly name: ByteString
      readonly stats: BigIntStats
      readonly isAncestor: boolean
      readonly wasThere: boolean
    }
  /**
   * `cached` is what the directory itself was, if all of it is remembered, and `unmodified` says that it is so still, whatever is
   * in it; `shrunk` whether names are gone from it.
   */
  | {
      readonly type: 'leave'
      readonly path: ByteString
      readonly cached: CachedEntry | undefined
      readonly unmodified: boolean
      readonly shrunk: boolean
    }
  /** Entries in a row, of one directory, that are what they were: their nodes can be used as they are. */
  | { readonly type: 'unmodified'; readonly entries: readonly UnmodifiedEntry[] }
  /** An entry to be made a node of; if it is a file, `segments` items of type `segment` follow, unless `isLink`. */
  | {
      readonly type: 'entry'
      readonly path: ByteString
      readonly name: ByteString
      readonly stats: BigIntStats
      readonly cached: CachedEntry | undefined
      readonly segments: number
      /** What the file has had before, and `segments` begin after. */
      readonly kept: Kept | undefined
      /** A further name of a file that came before. */
      readonly isLink: boolean
    }
  | ({ readonly type: 'segment' } & BegunSegment)

export interface UnmodifiedEntry {
  readonly path: ByteString
  readonly name: ByteString
  readonly stats: BigIntStats
  readonly cached: CachedEntry
}

/** How many entries the tree builder may lag behind; a batch of small files is begun before this many have followed its first. */
export const ENTRIES_AHEAD = 1024
const ENTRIES_PER_BATCH = 256
/** Of small files: that they are read is noted for the next backup only once their items have passed. */
const BYTES_PER_BATCH = 4 * 2 ** 20

export const entriesIn = (items: readonly PlannedItem[]): number =>
  items.reduce((sum, item) => sum + (item.type === 'unmodified' ? item.entries.length : 1), 0)

export interface PlanOptions {
  /** What is known of the source at an earlier snapshot. */
  readonly cache: FileCacheReader | undefined
  /** Whether what is as it was need not be read. */
  readonly trustCache: boolean
  readonly findKept?: FindKept
  readonly signal?: AbortSignal
}

/**
 * Decides for every entry of the walk whether it must be read, and begins that. Items come many at a time: promises for each
 * would take as long as all else that is done for a small file.
 */
export async function* planReads(
  events: Iterable<SourceEvent>,
  reader: FileReader,
  { cache, trustCache, findKept, signal }: PlanOptions,
): AsyncGenerator<readonly PlannedItem[], void, undefined> {
  /** Of the directories on the current path. */
  const frames: Frame[] = [{ stats: undefined, isAncestor: false, wasThere: true, shrunk: false }]
  const links = new Set<string>()
  let count = 0
  /** Of the segments among `items`. */
  let bytes = 0
  const items: PlannedItem[] = []
  const unmodified: UnmodifiedEntry[] = []
  const onSkipped = (): void => {
    frames.at(-1)!.shrunk = true
  }
  /** Whether an entry that may be taken over is what it was. */
  const isUnmodified = (cached: CachedEntry, stats: BigIntStats): boolean =>
    trustCache && cache !== undefined && cached.signature === fileSignature(stats) && !isRacy(stats, cache.startMs)
  const pushUnmodified = (): void => {
    if (unmodified.length > 0) items.push({ type: 'unmodified', entries: unmodified.splice(0) })
  }
  const push = (item: PlannedItem): void => {
    pushUnmodified()
    items.push(item)
  }
  const takeItems = (): PlannedItem[] => {
    pushUnmodified()
    bytes = 0
    return items.splice(0)
  }
  try {
    for (const event of events) {
      if (++count % ENTRIES_PER_BATCH === 0) {
        yield takeItems()
        await reader.flush()
        await setImmediate() // signals and finished work are heard of
        throwIfInterrupted(signal)
      }
      const isKnown = frames.at(-1)!.wasThere
      if (event.type === 'enter') {
        const { stats, isAncestor } = event
        const wasThere = isKnown && (cache?.enter(event.name, onSkipped) ?? false)
        frames.push({ stats, isAncestor, wasThere, shrunk: false })
        push({ ...event, wasThere })
        continue
      }
      if (event.type === 'leave') {
        push(leave(event.path))
        continue
      }
      const { path, name, stats } = event
      const cached = isKnown ? cache?.entry(name, onSkipped) : undefined
      if (cached && isUnmodified(cached, stats)) {
        unmodified.push({ path, name, stats, cached })
        continue
      }
      const isLink = isFurtherName(stats)
      const isRead = stats.isFile() && !isLink
      const kept = isRead && trustCache && cached ? await findKept?.(path, stats, cached) : undefined
      const parts = isRead ? reader.partsOf(Number(stats.size), kept?.end) : []
      push({ ...event, cached, segments: parts.length, kept, isLink })
      const isLarge = stats.size > SMALL_BYTES
      if (isLarge) {
        await reader.flush() // whoever reads the items may stop among its segments to wait for small files before it
        yield takeItems()
      }
      for (const part of parts) {
        throwIfInterrupted(signal) // one large file may take minutes
        push({ type: 'segment', ...(await reader.begin(path, part, stats)) })
        bytes += part.length
        if (isLarge || bytes >= BYTES_PER_BATCH) yield takeItems()
      }
    }
  } finally {
    await reader.flush() // also when the walk fails: whoever awaits a segment must hear of it
  }
  push(leave('/' as ByteString))
  yield takeItems()

  function leave(path: ByteString): PlannedItem & { type: 'leave' } {
    const cached = frames.at(-1)!.wasThere ? cache?.leave(onSkipped) : undefined
    const { stats, isAncestor, shrunk } = frames.pop()!
    const isSame = isAncestor ? isSameAncestor : isUnmodified
    return { type: 'leave', path, cached, unmodified: cached && stats ? isSame(cached, stats) : false, shrunk }
  }

  /** Whether it is a file that has come before by another name. */
  function isFurtherName(stats: BigIntStats): boolean {
    if (!stats.isFile() || stats.nlink <= 1n) return false
    const inode = inodeOf(stats)
    if (links.has(inode)) return true
    links.add(inode)
    return false
  }
}

interface Frame {
  readonly stats: BigIntStats | undefined
  readonly isAncestor: boolean
  /** Whether it was there before. */
  readonly wasThere: boolean
  shrunk: boolean
}

/** Of an ancestor, which may be as busy as /tmp, only what its node keeps. */
export const ancestorSignature = (stats: BigIntStats): string => `${stats.mode}:${stats.uid}:${stats.gid}`

const isSameAncestor = (cached: CachedEntry, stats: BigIntStats): boolean =>
  cached.signature === ancestorSignature(stats)

/** Tells files from one another within one run, even if one goes and another gets its inode (where there are birth times). */
export const inodeOf = (stats: BigIntStats): string => `${stats.dev}:${stats.ino}:${stats.birthtimeNs}`
