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

export const entriesIn = (item: PlannedItem): number => (item.type === 'unmodified' ? item.entries.length : 1)

export interface PlanOptions {
  /** What is known of the source at an earlier snapshot. */
  readonly cache: FileCacheReader | undefined
  /** Whether what is as it was need not be read. */
  readonly trustCache: boolean
  readonly findKept?: FindKept
  readonly signal?: AbortSignal
}

/** Decides for every entry of the walk whether it must be read, and begins that. What need not be read costs no promise. */
export async function* planReads(
  events: Iterable<SourceEvent>,
  reader: FileReader,
  { cache, trustCache, findKept, signal }: PlanOptions,
): AsyncGenerator<PlannedItem, void, undefined> {
  /** Of the directories on the current path. */
  const frames: Frame[] = [{ stats: undefined, isAncestor: false, wasThere: true, shrunk: false }]
  const links = new Set<string>()
  let count = 0
  const unmodified: UnmodifiedEntry[] = []
  const onSkipped = (): void => {
    frames.at(-1)!.shrunk = true
  }
  /** Whether an entry that may be taken over is what it was. */
  const isUnmodified = (cached: CachedEntry, stats: BigIntStats): boolean =>
    trustCache && cache !== undefined && cached.signature === fileSignature(stats) && !isRacy(stats, cache.startMs)
  const takeUnmodified = (): PlannedItem => ({ type: 'unmodified', entries: unmodified.splice(0) })
  try {
    for (const event of events) {
      if (++count % ENTRIES_PER_BATCH === 0) {
        if (unmodified.length > 0) yield takeUnmodified()
        await reader.flush()
        await setImmediate() // signals and finished work are heard of
        throwIfInterrupted(signal)
      }
      const isKnown = frames.at(-1)!.wasThere
      const cached = isKnown && event.type === 'entry' ? cache?.entry(event.name, onSkipped) : undefined
      if (cached && event.type === 'entry' && isUnmodified(cached, event.stats)) {
        unmodified.push({ path: event.path, name: event.name, stats: event.stats, cached })
        continue
      }
      if (unmodified.length > 0) yield takeUnmodified()
      if (event.type === 'enter') {
        const { stats, isAncestor } = event
        const wasThere = isKnown && (cache?.enter(event.name, onSkipped) ?? false)
        frames.push({ stats, isAncestor, wasThere, shrunk: false })
        yield { ...event, wasThere }
      } else if (event.type === 'leave') yield leave(event.path)
      else yield* planEntry(event, cached)
    }
  } finally {
    await reader.flush() // also when the walk fails: whoever awaits a segment must hear of it
  }
  if (unmodified.length > 0) yield takeUnmodified()
  yield leave('/' as ByteString)

  function leave(path: ByteString): PlannedItem & { type: 'leave' } {
    const cached = frames.at(-1)!.wasThere ? cache?.leave(onSkipped) : undefined
    const { stats, isAncestor, shrunk } = frames.pop()!
    const isSame = isAncestor ? isSameAncestor : isUnmodified
    return { type: 'leave', path, cached, unmodified: cached && stats ? isSame(cached, stats) : false, shrunk }
  }

  async function* planEntry(
    event: SourceEvent & { type: 'entry' },
    cached: CachedEntry | undefined,
  ): AsyncGenerator<PlannedItem, void, undefined> {
    const { path, stats } = event
    const mayBeLink = stats.isFile() && stats.nlink > 1n
    const isLink = mayBeLink && links.has(inodeOf(stats))
    if (mayBeLink) links.add(inodeOf(stats))
    const isRead = stats.isFile() && !isLink
    const kept = isRead && trustCache && cached ? await findKept?.(path, stats, cached) : undefined
    const parts = isRead ? reader.partsOf(Number(stats.size), kept?.end) : []
    // Small ones before it are not to wait behind it: whoever reads these items may stop among its segments to wait for them.
    if (stats.size > SMALL_BYTES) await reader.flush()
    yield { ...event, cached, segments: parts.length, kept, isLink }
    for (const part of parts) {
      throwIfInterrupted(signal) // one large file may take minutes
      yield { type: 'segment', ...(await reader.begin(path, part, stats)) }
    }
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
