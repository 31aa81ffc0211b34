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
  /** `cached` is what the directory itself was, if all of it is remembered; `shrunk` whether names are gone from it. */
  | {
      readonly type: 'leave'
      readonly path: ByteString
      readonly cached: CachedEntry | undefined
      readonly shrunk: boolean
    }
  /** An entry that is what it was: its node can be used as it is. */
  | {
      readonly type: 'unmodified'
      readonly path: ByteString
      readonly name: ByteString
      readonly stats: BigIntStats
      readonly cached: CachedEntry
    }
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

/** How many items the tree builder may lag behind; a batch of small files is begun before this many have followed its first. */
export const ITEMS_AHEAD = 1024
const ITEMS_PER_BATCH = 256

export interface PlanOptions {
  /** What is known of the source at an earlier snapshot. */
  readonly cache: FileCacheReader | undefined
  /** Whether what is as it was need not be read. */
  readonly trustCache: boolean
  readonly findKept?: FindKept
  readonly signal?: AbortSignal
}

/** Decides for every entry of the walk whether it must be read, and begins that. */
export async function* planReads(
  events: Iterable<SourceEvent>,
  reader: FileReader,
  { cache, trustCache, findKept, signal }: PlanOptions,
): AsyncGenerator<PlannedItem, void, undefined> {
  const shrunk: boolean[] = [false]
  const links = new Set<string>()
  let items = 0
  const onSkipped = (): void => {
    shrunk[shrunk.length - 1] = true
  }
  /** Whether each directory on the current path was there before. */
  const known: boolean[] = [true]
  try {
    for (const event of events) {
      if (++items % ITEMS_PER_BATCH === 0) {
        await reader.flush()
        await setImmediate() // signals and finished work are heard of
        throwIfInterrupted(signal)
      }
      if (event.type === 'enter') {
        const wasThere = known.at(-1)! && (cache?.enter(event.name, onSkipped) ?? false)
        known.push(wasThere)
        shrunk.push(false)
        yield { ...event, wasThere }
      } else if (event.type === 'leave') {
        const cached = known.pop() ? cache?.leave(onSkipped) : undefined
        yield { ...event, cached, shrunk: shrunk.pop()! }
      } else yield* planEntry(event, known.at(-1)! ? cache?.entry(event.name, onSkipped) : undefined)
    }
  } finally {
    await reader.flush() // also when the walk fails: whoever awaits a segment must hear of it
  }
  const cached = cache?.leave(onSkipped)
  yield { type: 'leave', path: '/' as ByteString, cached, shrunk: shrunk[0]! }

  async function* planEntry(
    event: SourceEvent & { type: 'entry' },
    cached: CachedEntry | undefined,
  ): AsyncGenerator<PlannedItem, void, undefined> {
    const { path, stats } = event
    if (trustCache && cache && cached?.signature === fileSignature(stats) && !isRacy(stats, cache.startMs)) {
      yield { ...event, type: 'unmodified', cached }
      return
    }
    const mayBeLink = stats.isFile() && stats.nlink > 1n
    const isLink = mayBeLink && links.has(inodeOf(stats))
    if (mayBeLink) links.add(inodeOf(stats))
    const isRead = stats.isFile() && !isLink
    const kept = isRead && trustCache && cached ? await findKept?.(path, stats, cached) : undefined
    const parts = isRead ? reader.partsOf(Number(stats.size), kept?.end) : []
    yield { ...event, cached, segments: parts.length, kept, isLink }
    for (const part of parts) {
      throwIfInterrupted(signal) // one large file may take minutes
      yield { type: 'segment', ...(await reader.begin(path, part, stats)) }
    }
    if (stats.size > SMALL_BYTES) await reader.flush() // small ones before it are not to wait behind it
  }
}

/** Tells files from one another within one run, even if one goes and another gets its inode (where there are birth times). */
export const inodeOf = (stats: BigIntStats): string => `${stats.dev}:${stats.ino}:${stats.birthtimeNs}`
