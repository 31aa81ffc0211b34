import type { ByteString } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import type { SnapshotId } from '../base/ids.ts'
import type { SnapshotKind } from '../format/snapshot.ts'
import type { StoredSnapshot } from '../repository/snapshots.ts'

export interface ParentChoice {
  /** What the snapshot will be called: the first of its host and paths is a full one, whatever was asked for. */
  readonly kind: SnapshotKind
  /** What changes are detected against. */
  readonly parent: StoredSnapshot | undefined
  /** Snapshots of the same host and paths. */
  readonly group: readonly StoredSnapshot[]
}

/**
 * Chooses what a backup is compared with. `snapshots` are all of the repository, oldest first. Throws NOT_FOUND if `wanted`
 * is not among them.
 */
export function chooseParent(
  snapshots: readonly StoredSnapshot[],
  host: string,
  paths: readonly ByteString[],
  kind: SnapshotKind,
  wanted: SnapshotId | undefined,
): ParentChoice {
  const group = snapshots.filter(({ snapshot }) => snapshot.host === host && samePaths(snapshot.paths, paths))
  if (wanted) {
    const parent = snapshots.find(({ id }) => id === wanted)
    if (!parent) throw new ChainkeepError('NOT_FOUND', `there is no snapshot ${wanted} to compare with`, { id: wanted })
    return { kind, parent, group }
  }
  const parent = kind === 'differential' ? latestFull(group) : group.at(-1)
  return { kind: parent ? kind : 'full', parent, group }
}

/** The latest snapshot of a group for which every file was read. */
export function latestFull(group: readonly StoredSnapshot[]): StoredSnapshot | undefined {
  return group.findLast(({ snapshot }) => snapshot.kind === 'full')
}

function samePaths(a: readonly ByteString[], b: readonly ByteString[]): boolean {
  return a.length === b.length && a.every((path, i) => path === b[i])
}
