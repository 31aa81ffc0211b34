import type { ByteString } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import { datedBeforeParent, describeBeforeParent, describeFuture, isFuture } from '../repository/snapshot-dates.ts'
import type { StoredSnapshot } from '../repository/snapshots.ts'
import { type Duration, formatDuration, HOUR_MS, timeBefore } from './duration.ts'

/**
 * Which snapshots to keep, in each group on its own. Numbers: that many of the last, or of the last hours, days, … that have
 * any, the latest of each; `UNLIMITED` keeps one of every.
 */
export interface ForgetPolicy {
  readonly last?: number
  readonly hourly?: number
  readonly daily?: number
  readonly weekly?: number
  readonly monthly?: number
  readonly yearly?: number
  /** Everything younger than this, reckoned from the group's latest snapshot. */
  readonly within?: Duration
  /** Everything that has all tags of one of these. */
  readonly tags?: readonly (readonly string[])[]
}

export const UNLIMITED = -1

export type GroupKey = 'host' | 'paths' | 'tags'

export interface ForgetOptions {
  /** What the snapshots of a group share. Without any, all are one group. */
  readonly groupBy?: readonly GroupKey[]
  readonly nowMs: number
  /** Let a policy without a rule remove everything. */
  readonly allowNoRule?: boolean
  /** All of the repository, by which dates are judged, if `snapshots` are a part of them. */
  readonly all?: readonly StoredSnapshot[]
}

/** Snapshots oldest first. */
export interface ForgetGroup {
  /** What they share: the fields that were grouped by. */
  readonly key: { readonly host?: string; readonly paths?: readonly ByteString[]; readonly tags?: readonly string[] }
  readonly keep: readonly KeptSnapshot[]
  readonly remove: readonly StoredSnapshot[]
  /** How many of those kept have a date that cannot be right, and no other reason. */
  readonly misdated: number
  /** What is odd about them, in sentences for people. */
  readonly notes: readonly string[]
}

export interface KeptSnapshot extends StoredSnapshot {
  /** In restic's words: `daily snapshot`, `within 7d` … */
  readonly reasons: readonly string[]
}

/**
 * Decides what a policy keeps. Hours, days, weeks (from Monday), months and years are those of UTC, as snapshots do not
 * say what zone they were made in. A snapshot dated in the future, or before one that it descends from, is kept and counted for
 * nothing, so that a wrong clock cannot push others out. Throws USAGE if the policy has no rule, which would remove everything.
 */
export function planForget(
  snapshots: readonly StoredSnapshot[],
  policy: ForgetPolicy,
  { groupBy = ['host', 'paths'], nowMs, allowNoRule = false, all = snapshots }: ForgetOptions,
): ForgetGroup[] {
  requireRule(policy, allowNoRule)
  const backwards = datedBeforeParent(all, nowMs)
  return groupSnapshots(snapshots, groupBy).map(({ key, members }) => {
    const future = members.filter((stored) => isFuture(stored, nowMs))
    const before = members.filter((stored) => backwards.has(stored) && !isFuture(stored, nowMs))
    return { key, ...sift(members, policy, { future, before }) }
  })
}

const PERIODS = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const
type Period = (typeof PERIODS)[number]

function requireRule(policy: ForgetPolicy, allowNone: boolean): void {
  for (const period of PERIODS) {
    const count = policy[period] ?? 0
    if (!Number.isInteger(count) || count < UNLIMITED)
      throw new RangeError(`keep ${period} must be a number of snapshots: ${count}`)
  }
  const hasRule = PERIODS.some((period) => policy[period]) || policy.within || (policy.tags?.length ?? 0) > 0
  if (!hasRule && !allowNone)
    throw new ChainkeepError(
      'USAGE',
      'without a rule of what to keep, every snapshot would go: give at least one, such as --keep-daily 7, or the ids of those that are to go',
    )
}

export interface Group {
  readonly key: ForgetGroup['key']
  readonly members: StoredSnapshot[]
}

/** In the order in which each group's first one comes. */
export function groupSnapshots(snapshots: readonly StoredSnapshot[], groupBy: readonly GroupKey[]): Group[] {
  const groups = new Map<string, Group>()
  for (const stored of snapshots) {
    const { host, paths, tags } = stored.snapshot
    const shared = { host, paths, tags: tags.toSorted() }
    const key = Object.fromEntries(groupBy.map((name) => [name, shared[name]])) as ForgetGroup['key']
    const text = JSON.stringify(groupBy.map((name) => shared[name]))
    const group = groups.get(text)
    if (group) group.members.push(stored)
    else groups.set(text, { key, members: [stored] })
  }
  return [...groups.values()]
}

interface Misdated {
  readonly future: readonly StoredSnapshot[]
  readonly before: readonly StoredSnapshot[]
}

function sift(
  members: readonly StoredSnapshot[],
  policy: ForgetPolicy,
  { future, before }: Misdated,
): Omit<ForgetGroup, 'key'> {
  const newestFirst = members.toSorted((a, b) => b.snapshot.timeMs - a.snapshot.timeMs || (a.id < b.id ? 1 : -1))
  const misdated = new Set([...future, ...before])
  const real = newestFirst.filter((stored) => !misdated.has(stored))
  const reasons = new Map<string, Set<string>>()
  const keep = (stored: StoredSnapshot, reason: string): void => {
    const backup = backupOf(stored)
    const found = reasons.get(backup)
    if (found) found.add(reason)
    else reasons.set(backup, new Set([reason]))
  }
  for (const stored of future) keep(stored, 'dated in the future')
  for (const stored of before) keep(stored, 'dated before its parent')
  for (const tags of policy.tags ?? [])
    for (const stored of newestFirst)
      if (tags.every((tag) => stored.snapshot.tags.includes(tag))) keep(stored, `has tags ${tags.join(', ')}`)
  if (policy.within && real[0]) {
    const afterMs = timeBefore(real[0].snapshot.timeMs, policy.within)
    for (const stored of real)
      if (stored.snapshot.timeMs > afterMs) keep(stored, `within ${formatDuration(policy.within)}`)
  }
  const backups = new Map(real.toReversed().map((stored) => [backupOf(stored), stored]))
  const once = real.filter((stored) => backups.get(backupOf(stored)) === stored)
  for (const period of PERIODS)
    for (const { stored, reason } of latestOfEach(once, period, policy[period] ?? 0)) keep(stored, reason)

  const oldestFirst = newestFirst.reverse()
  return {
    keep: oldestFirst.flatMap((stored) => {
      const found = reasons.get(backupOf(stored))
      return found ? [{ ...stored, reasons: [...found] }] : []
    }),
    remove: oldestFirst.filter((stored) => !reasons.has(backupOf(stored))),
    misdated: [...misdated].filter((stored) => reasons.get(backupOf(stored))?.size === 1).length,
    notes: [
      ...(future.length > 0 ? [`${describeFuture(future)}: ${keptForNothing(future)}`] : []),
      ...(before.length > 0 ? [`${describeBeforeParent(before)}: ${keptForNothing(before)}`] : []),
    ],
  }
}

/**
 * Which backup a snapshot is of. While its tags are changed, and after that was cut off, there are two of one: they count as one,
 * and stay or go together, since whoever changes the tags is about to remove either.
 */
const backupOf = ({ id, snapshot }: StoredSnapshot): string => `${snapshot.original ?? id} ${snapshot.tree}`

/** As in restic: the latest snapshot of each of the last `count` periods, and the oldest of all while periods are still wanted. */
function latestOfEach(
  newestFirst: readonly StoredSnapshot[],
  period: Period,
  count: number,
): { stored: StoredSnapshot; reason: string }[] {
  const found: { stored: StoredSnapshot; reason: string }[] = []
  const name = `${period} snapshot`
  let last: number | undefined
  for (const [i, stored] of newestFirst.entries()) {
    if (count !== UNLIMITED && found.length >= count) break
    const number = periodOf(stored.snapshot.timeMs, period, i)
    if (number !== last) found.push({ stored, reason: name })
    else if (i === newestFirst.length - 1) found.push({ stored, reason: `oldest ${name}` })
    last = number
  }
  return found
}

/** A number that two snapshots share if they are of the same period. */
function periodOf(timeMs: number, period: Period, position: number): number {
  const days = Math.floor(timeMs / (24 * HOUR_MS))
  const date = new Date(timeMs)
  switch (period) {
    case 'last':
      return position
    case 'hourly':
      return Math.floor(timeMs / HOUR_MS)
    case 'daily':
      return days
    case 'weekly':
      return Math.floor((days + 3) / 7) // 1970 began on a Thursday
    case 'monthly':
      return date.getUTCFullYear() * 12 + date.getUTCMonth()
    case 'yearly':
      return date.getUTCFullYear()
  }
}

const keptForNothing = ({ length }: readonly StoredSnapshot[]): string =>
  `${length === 1 ? 'it is' : 'they are'} kept, and counted for nothing; "chainkeep forget ID" removes what is wrong`
