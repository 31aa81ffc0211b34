import type { ForgetGroup } from './forget-policy.ts'

/** How much of a group rules may remove at once: so many snapshots, or a share of them that is more than so many. */
export interface RemoveLimit {
  readonly share?: number
  readonly count: number
}

/**
 * What nobody means who has thinned a group before. The first time rules are applied to a long history it is exceeded, and has to
 * be said; 50 is more than an hourly job removes if it was forgotten for two days.
 */
export const DEFAULT_REMOVE_LIMIT: RemoveLimit = { share: 0.9, count: 50 }

export interface RemoveLimits {
  /** Groups may lose all their snapshots; then the default limit does not hold. */
  readonly allowRemoveAll?: boolean
  readonly limit?: RemoveLimit
}

/** A group that would lose more than is allowed. */
export interface Excess {
  readonly group: ForgetGroup
  readonly removed: number
  /** Those whose dates can be right. */
  readonly of: number
  /** Nothing of it is left; else it is the limit that is exceeded. */
  readonly isAll: boolean
}

/**
 * The first group of which a plan removes more than `limits` allow. What is kept only because its date cannot be right counts as
 * not there: else whoever makes such snapshots could have all others removed.
 */
export function findExcess(
  groups: readonly ForgetGroup[],
  { allowRemoveAll = false, limit = allowRemoveAll ? undefined : DEFAULT_REMOVE_LIMIT }: RemoveLimits,
): Excess | undefined {
  for (const group of groups) {
    const removed = group.remove.length
    const of = removed + group.keep.length - group.misdated
    const isAll = removed > 0 && removed === of
    const isOver = limit !== undefined && removed > limit.count && removed > (limit.share ?? 0) * of
    if ((isAll && !allowRemoveAll) || isOver) return { group, removed, of, isAll: isAll && !allowRemoveAll }
  }
  return undefined
}
