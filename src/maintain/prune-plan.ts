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
  readonly keep: readonly PackUsage[]
  readonly totals: PruneTotals
}

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
  /** … and this much stays, in packs that are kept. */
  readonly unusedBytesLeft: number
  /** Of which this much is in packs, so many of them, that are too young to go. */
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
 * first, until what is unused in the rest is no more than the policy allows. Those in `young` stay, whatever is in them,
 * and count for nothing in that.
 */
export function planPrune(
  packs: readonly PackUsage[],
  policy: PrunePolicy = DEFAULT_PRUNE_POLICY,
  young: ReadonlySet<PackId> = new Set(),
): PrunePlan {
  const old = packs.filter(({ id }) => !young.has(id))
  const remove = old.filter(({ usedObjects }) => usedObjects === 0)
  const used = old.filter(({ usedObjects }) => usedObjects > 0)
  const chosen = chooseWasteful(used, policy)
  for (const packClass of ['data', 'meta'] as const) for (const pack of manySmall(used, packClass)) chosen.add(pack)
  const rewrite = (['data', 'meta'] as const).flatMap((packClass) =>
    groupRewrites(
      packClass,
      used.filter((pack) => pack.packClass === packClass && chosen.has(pack)),
    ),
  )
  const gone = new Set([...remove, ...rewrite.flatMap((group) => group.packs)])
  const keep = packs.filter((pack) => !gone.has(pack))
  const spared = keep.filter((pack) => young.has(pack.id) && unusedBytes(pack) > 0)
  return { remove, rewrite, keep, totals: addUp(packs, rewrite, keep, spared) }
}

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
function groupRewrites(packClass: PackClass, packs: readonly PackUsage[]): PackRewrite[] {
  const groups: { packClass: PackClass; packs: PackUsage[]; newBytes: number }[] = []
  for (const pack of packs) {
    const open = groups.at(-1)
    if (open && open.newBytes + pack.usedBytes <= PACK_BYTES[packClass]) {
      open.packs.push(pack)
      open.newBytes += pack.usedBytes
    } else groups.push({ packClass, packs: [pack], newBytes: pack.usedBytes + PACK_OVERHEAD_BYTES })
  }
  const isWorthwhile = (group: PackRewrite): boolean => group.packs.length > 1 || unusedBytes(group.packs[0]!) > 0
  return groups.filter(isWorthwhile)
}

function addUp(
  packs: readonly PackUsage[],
  rewrite: readonly PackRewrite[],
  keep: readonly PackUsage[],
  spared: readonly PackUsage[],
): PruneTotals {
  const bytes = sum(packs, (pack) => pack.bytes)
  const objects = sum(packs, (pack) => pack.objects)
  const usedObjects = sum(packs, (pack) => pack.usedObjects)
  const usedBytes = sum(packs, neededBytes)
  const bytesLeft = sum(keep, (pack) => pack.bytes) + sum(rewrite, ({ newBytes }) => newBytes)
  return {
    packs: packs.length,
    objects,
    usedObjects,
    bytes,
    usedBytes,
    unusedBytes: bytes - usedBytes,
    freedBytes: bytes - bytesLeft,
    freedObjects: objects - usedObjects - sum(keep, (pack) => pack.objects - pack.usedObjects),
    unusedBytesLeft: sum(keep, unusedBytes),
    sparedBytes: sum(spared, unusedBytes),
    sparedPacks: spared.length,
    rewrittenBytes: sum(rewrite, ({ packs }) => sum(packs, (pack) => pack.usedBytes)),
    packsLeft: keep.length + rewrite.length,
    bytesLeft,
  }
}

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0)
