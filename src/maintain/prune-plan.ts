import type { PackId } from '../base/ids.ts'
import type { PackClass } from '../format/pack.ts'
import { PACK_BYTES } from '../repository/write-session.ts'
import { neededBytes, PACK_OVERHEAD_BYTES, type PackUsage } from './pack-usage.ts'

export interface PrunePolicy {
  /**
   * How much may stay unused in data packs, so that not every one of them is written again for a little gain: a share of
   * all that is left, from 0 to 1, or bytes.
   */
  readonly maxUnused: { readonly share: number } | { readonly bytes: number } | 'unlimited'
}

/** What restic leaves, too. */
export const DEFAULT_PRUNE_POLICY: PrunePolicy = { maxUnused: { share: 0.05 } }

export interface PrunePlan {
  /** Nothing in them is used. */
  readonly remove: readonly PackUsage[]
  readonly rewrite: readonly PackRewrite[]
  /** Condemned earlier, and not used since: their time has come … */
  readonly due: readonly PackUsage[]
  /** … or has not. */
  readonly waiting: readonly PackUsage[]
  readonly keep: readonly PackUsage[]
  readonly totals: PruneTotals
}

/**
 * What is known of a pack besides its usage. `spared`: a writer may still come to use it. `waiting`, `due`: condemned, and
 * its time has not come, or has; `sentenced`: the same, and it must go even if it is used.
 */
export type PackStanding = 'spared' | 'waiting' | 'due' | 'sentenced'

/** Several packs, the used objects of which go into one new pack. */
export interface PackRewrite {
  readonly packClass: PackClass
  readonly packs: readonly PackUsage[]
  /** Length of the new pack. */
  readonly newBytes: number
}

/** Bytes are those of pack files, to the byte. */
export interface PruneTotals {
  readonly packs: number
  readonly objects: number
  readonly usedObjects: number
  readonly bytes: number
  readonly usedBytes: number
  readonly unusedBytes: number
  /** Of which this much goes … */
  readonly freedBytes: number
  readonly freedObjects: number
  /** … this much is in packs, so many of them, that were condemned earlier and go later … */
  readonly waitingBytes: number
  readonly waitingPacks: number
  /** … and this much stays, in packs that are kept. */
  readonly unusedBytesLeft: number
  /** Of which this much is in packs, so many of them, that are spared. */
  readonly sparedBytes: number
  readonly sparedPacks: number
  /** Bytes of used objects that are copied. */
  readonly rewrittenBytes: number
  readonly packsLeft: number
  readonly bytesLeft: number
}

/** Metadata packs are few and small, and every listing reads them: above this share of waste they are always rewritten. */
const METADATA_UNUSED_SHARE = 0.1
/** Packs that are less full than this share of a whole one are small; so many of them are merged. */
const SMALL_SHARE = 1 / 4
const MANY_SMALL_PACKS = 16

/**
 * Decides which packs go, which are written again without what is unused, and which stay. The most wasteful are rewritten
 * first, until what is unused in the rest is no more than the policy allows. Those with a standing count for nothing in that.
 */
export function planPrune(
  packs: readonly PackUsage[],
  policy: PrunePolicy = DEFAULT_PRUNE_POLICY,
  standings: ReadonlyMap<PackId, PackStanding> = new Map(),
): PrunePlan {
  const those = (...wanted: (PackStanding | undefined)[]): PackUsage[] =>
    packs.filter(({ id }) => wanted.includes(standings.get(id)))
  const remove = those(undefined).filter((pack) => !isUsed(pack))
  const used = those(undefined).filter(isUsed)
  const chosen = chooseWasteful(used, policy)
  for (const packClass of ['data', 'meta'] as const) for (const pack of manySmall(used, packClass)) chosen.add(pack)
  const must = new Set(those('sentenced').filter(isUsed))
  const rewrite = (['data', 'meta'] as const).flatMap((packClass) =>
    groupRewrites(
      packClass,
      packs.filter((pack) => pack.packClass === packClass && (chosen.has(pack) || must.has(pack))),
      must,
    ),
  )
  const due = those('due', 'sentenced').filter((pack) => !isUsed(pack))
  const waiting = those('waiting')
  const gone = new Set([...remove, ...due, ...waiting, ...rewrite.flatMap((group) => group.packs)])
  const keep = packs.filter((pack) => !gone.has(pack))
  const spared = keep.filter((pack) => standings.get(pack.id) === 'spared' && unusedBytes(pack) > 0)
  return { remove, rewrite, due, waiting, keep, totals: addUp(packs, { rewrite, waiting, keep, spared }) }
}

const isUsed = ({ usedObjects }: PackUsage): boolean => usedObjects > 0
const unusedBytes = (pack: PackUsage): number => pack.bytes - neededBytes(pack)
const unusedShare = (pack: PackUsage): number => unusedBytes(pack) / pack.bytes

function chooseWasteful(used: readonly PackUsage[], { maxUnused }: PrunePolicy): Set<PackUsage> {
  const chosen = new Set<PackUsage>()
  if (maxUnused === 'unlimited') return chosen
  const candidates = used.filter((pack) => unusedBytes(pack) > 0).sort(byWaste)
  const needed = sum(used, neededBytes)
  const limit = 'bytes' in maxUnused ? maxUnused.bytes : (needed * maxUnused.share) / (1 - maxUnused.share)
  let left = sum(candidates, unusedBytes)
  for (const pack of candidates) {
    const isCheap = pack.packClass === 'meta' && unusedShare(pack) > METADATA_UNUSED_SHARE
    if (left <= limit && !isCheap) continue
    chosen.add(pack)
    left -= unusedBytes(pack)
  }
  return chosen
}

function byWaste(a: PackUsage, b: PackUsage): number {
  return unusedShare(b) - unusedShare(a) || (a.id < b.id ? -1 : 1)
}

function manySmall(used: readonly PackUsage[], packClass: PackClass): readonly PackUsage[] {
  const limit = PACK_BYTES[packClass] * SMALL_SHARE
  const small = used.filter((pack) => pack.packClass === packClass && neededBytes(pack) < limit)
  return small.length >= MANY_SMALL_PACKS ? small : []
}

/** In the order given, so that objects stay near those they were written with. A new pack is not above the usual length, unless an old one was. */
function groupRewrites(packClass: PackClass, packs: readonly PackUsage[], must: ReadonlySet<PackUsage>): PackRewrite[] {
  const groups: { packClass: PackClass; packs: PackUsage[]; newBytes: number }[] = []
  for (const pack of packs) {
    const open = groups.at(-1)
    if (open && open.newBytes + pack.usedBytes <= PACK_BYTES[packClass]) {
      open.packs.push(pack)
      open.newBytes += pack.usedBytes
    } else groups.push({ packClass, packs: [pack], newBytes: pack.usedBytes + PACK_OVERHEAD_BYTES })
  }
  const isWorthwhile = ({ packs: [first, ...others] }: PackRewrite): boolean =>
    others.length > 0 || unusedBytes(first!) > 0 || must.has(first!)
  return groups.filter(isWorthwhile)
}

function addUp(
  packs: readonly PackUsage[],
  {
    rewrite,
    waiting,
    keep,
    spared,
  }: Pick<PrunePlan, 'rewrite' | 'waiting' | 'keep'> & { spared: readonly PackUsage[] },
): PruneTotals {
  const bytes = sum(packs, (pack) => pack.bytes)
  const objects = sum(packs, (pack) => pack.objects)
  const usedObjects = sum(packs, (pack) => pack.usedObjects)
  const usedBytes = sum(packs, neededBytes)
  const left = [...keep, ...waiting]
  const bytesLeft = sum(left, (pack) => pack.bytes) + sum(rewrite, ({ newBytes }) => newBytes)
  return {
    packs: packs.length,
    objects,
    usedObjects,
    bytes,
    usedBytes,
    unusedBytes: bytes - usedBytes,
    freedBytes: bytes - bytesLeft,
    freedObjects: objects - usedObjects - sum(left, (pack) => pack.objects - pack.usedObjects),
    waitingBytes: sum(waiting, (pack) => pack.bytes),
    waitingPacks: waiting.length,
    unusedBytesLeft: sum(keep, unusedBytes),
    sparedBytes: sum(spared, unusedBytes),
    sparedPacks: spared.length,
    rewrittenBytes: sum(rewrite, ({ packs }) => sum(packs, (pack) => pack.usedBytes)),
    packsLeft: left.length + rewrite.length,
    bytesLeft,
  }
}

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0)
