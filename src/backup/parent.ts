import type { ByteString } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import type { ObjectId, SnapshotId } from '../base/ids.ts'
import type { SnapshotKind } from '../format/snapshot.ts'
import { splitFuture } from '../repository/snapshot-dates.ts'
import { REPAIRED_TAG, type StoredSnapshot } from '../repository/snapshots.ts'

export interface ParentChoice {
  /** What the snapshot will be called: the first of its host and paths is a full one, whatever was asked for. */
  readonly kind: SnapshotKind
  /** What changes are detected against. */
  readonly parent: StoredSnapshot | undefined
  /** Snapshots of the same host and paths. */
  readonly group: readonly StoredSnapshot[]
  /** Those of them that are dated in the future. */
  readonly future: readonly StoredSnapshot[]
  /** What the next differential backup will be compared with, unless this one is full. */
  readonly full: StoredSnapshot | undefined
}

export interface ParentWanted {
  readonly host: string
  readonly paths: readonly ByteString[]
  readonly kind: SnapshotKind
  /** This one, whatever it is of. */
  readonly parent?: SnapshotId
  readonly nowMs: number
  /** What the new snapshot will be dated, if that is not now. */
  readonly timeMs?: number
}

/**
 * Chooses what a backup is compared with. `snapshots` are all of the repository, oldest first. One that is dated later than the
 * new one will be is passed over, lest it stay the latest for ever; but where all are, it is the clock that is wrong, unless the
 * date was given. Throws NOT_FOUND if the wanted parent is not among them.
 */
export function chooseParent(
  snapshots: readonly StoredSnapshot[],
  { host, paths, kind, parent: wanted, nowMs, timeMs }: ParentWanted,
): ParentChoice {
  const group = snapshots.filter(({ snapshot }) => snapshot.host === host && samePaths(snapshot.paths, paths))
  const { past, future } = splitFuture(group, nowMs)
  const seen = { group, future, full: latestFull(past) }
  if (wanted) {
    const parent = snapshots.find(({ id }) => id === wanted)
    if (!parent) throw new ChainkeepError('NOT_FOUND', `there is no snapshot ${wanted} to compare with`, { id: wanted })
    return { kind, parent, ...seen }
  }
  const sound = group.filter(({ id }) => !wasRepaired(id, snapshots))
  const earlier = splitFuture(sound, Math.min(nowMs, timeMs ?? nowMs)).past
  const usable = earlier.length === 0 && timeMs === undefined ? sound : earlier
  const parent = kind === 'differential' ? latestFull(usable) : usable.at(-1)
  return { kind: parent ? kind : 'full', parent, ...seen }
}

/** Of which root trees the files are worth remembering once there is a snapshot of `tree`, for the next one of each group. */
export function treesToRemember(
  snapshots: readonly StoredSnapshot[],
  { kind, group, full }: ParentChoice,
  tree: ObjectId,
): ReadonlySet<string> {
  const trees = new Set<string>(snapshots.map(({ snapshot }) => snapshot.tree))
  for (const { snapshot } of group) trees.delete(snapshot.tree)
  if (full && kind !== 'full') trees.add(full.snapshot.tree)
  return trees.add(tree)
}

/** Whether there is a repaired form of a snapshot: then it lacks something, and nothing may be taken over from it. */
function wasRepaired(id: SnapshotId, snapshots: readonly StoredSnapshot[]): boolean {
  return snapshots.some(({ snapshot }) => snapshot.original === id && snapshot.tags.includes(REPAIRED_TAG))
}

/** The latest snapshot of a group for which every file was read. */
function latestFull(group: readonly StoredSnapshot[]): StoredSnapshot | undefined {
  return group.findLast(({ snapshot }) => snapshot.kind === 'full')
}

function samePaths(a: readonly ByteString[], b: readonly ByteString[]): boolean {
  return a.length === b.length && a.every((path, i) => path === b[i])
}
