import { type SnapshotId, shortId } from '../base/ids.ts'
import { formatTime } from '../base/local-time.ts'
import type { StoredSnapshot } from './snapshots.ts'

/**
 * How far a date may be ahead of the clock, or a snapshot's of its parent's: 10 minutes. Time services set clocks by seconds to
 * minutes; a battery that is empty, a wrong time zone or a mistyped --time are hours and more off.
 */
const TOLERANCE_MS = 10 * 60_000

export function isFuture({ snapshot }: StoredSnapshot, nowMs: number): boolean {
  return snapshot.timeMs > nowMs + TOLERANCE_MS
}

/** Splits, and keeps the order. */
export function splitFuture<Stored extends StoredSnapshot>(
  snapshots: readonly Stored[],
  nowMs: number,
): { readonly past: readonly Stored[]; readonly future: readonly Stored[] } {
  const future = snapshots.filter((stored) => isFuture(stored, nowMs))
  return { past: future.length === 0 ? snapshots : snapshots.filter((stored) => !isFuture(stored, nowMs)), future }
}

/** What is to be said of at least one such: the beginning of a sentence. */
export const describeFuture = (future: readonly StoredSnapshot[]): string =>
  `${describeDates(future)} dated in the future`

/** The same of those of `datedBeforeParent`. */
export const describeBeforeParent = (found: readonly StoredSnapshot[]): string =>
  `${describeDates(found)} dated before what ${found.length === 1 ? 'it was' : 'they were'} made after`

/** `snapshot 12345678 (2036-…) is`, or `7 snapshots (12345678 … of 2036-…) are`. */
function describeDates(snapshots: readonly StoredSnapshot[]): string {
  const { id, snapshot } = snapshots[0]!
  const date = formatTime(snapshot.timeMs)
  return snapshots.length === 1
    ? `snapshot ${shortId(id)} (${date}) is`
    : `${snapshots.length} snapshots, such as ${shortId(id)} (${date}), are`
}

/**
 * Those of `snapshots` that are dated before one that they descend from by `parent`: a clock had run back. Ancestors dated in
 * the future count for nothing, and what is missing ends a line. One that was written again, with other tags, stands for its
 * original, too.
 */
export function datedBeforeParent(snapshots: readonly StoredSnapshot[], nowMs: number): ReadonlySet<StoredSnapshot> {
  const byId = new Map<SnapshotId | undefined, StoredSnapshot>()
  for (const stored of snapshots) byId.set(stored.snapshot.original, stored)
  for (const stored of snapshots) byId.set(stored.id, stored)
  byId.delete(undefined)
  const found = new Set<StoredSnapshot>()
  /** The latest time in the line that ends in a snapshot. */
  const latestMs = new Map<StoredSnapshot, number>()
  for (const stored of snapshots) {
    const line: StoredSnapshot[] = []
    let at: StoredSnapshot | undefined = stored
    while (at && !latestMs.has(at)) {
      latestMs.set(at, -Infinity) // so that a line that bites its own tail ends
      line.push(at)
      at = byId.get(at.snapshot.parent)
    }
    let lineMs = at ? latestMs.get(at)! : -Infinity
    for (const member of line.reverse()) {
      const { timeMs } = member.snapshot
      if (timeMs < lineMs - TOLERANCE_MS) found.add(member)
      if (!isFuture(member, nowMs)) lineMs = Math.max(lineMs, timeMs)
      latestMs.set(member, lineMs)
    }
  }
  return found
}
