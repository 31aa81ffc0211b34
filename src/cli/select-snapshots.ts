import type { Option } from 'commander'
import { type ByteString, displayBytes } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import { type ObjectId, type SnapshotId, shortId } from '../base/ids.ts'
import { findEntry } from '../browse/entries.ts'
import type { Repository } from '../repository/repository.ts'
import {
  findSnapshot,
  listSnapshots,
  type SnapshotFilter,
  type StoredSnapshot,
  splitSnapshotPath,
} from '../repository/snapshots.ts'
import { absolutePath, repeatableOption } from './command.ts'
import type { Io } from './io.ts'

/** What --host, --tag and --path hold. */
export interface FilterValues {
  readonly host?: readonly string[]
  readonly tag?: readonly string[]
  readonly path?: readonly string[]
}

/** Options that narrow which snapshots are meant. */
export function filterOptions(hostFlags = '-H, --host <name>'): Option[] {
  return [
    repeatableOption(hostFlags, 'only snapshots of this host (may be repeated)'),
    repeatableOption('--tag <tag,...>', 'only snapshots with all of these tags (may be repeated: or all of those)'),
    repeatableOption('--path <path>', 'only snapshots of this path (may be repeated: and of that one)'),
  ]
}

export function filterOf(io: Io, { host, tag, path }: FilterValues): SnapshotFilter {
  return { hosts: host, tags: tag?.map(splitCommas), paths: path?.map((each) => absolutePath(io, each)) }
}

/** `a,b` as `a` and `b`; blanks and empty parts are dropped. */
export function splitCommas(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** The snapshots that `texts` name; all that fit the filter if there are none. */
export async function selectSnapshots(
  repository: Repository,
  texts: readonly string[],
  filter: SnapshotFilter,
): Promise<StoredSnapshot[]> {
  if (texts.length === 0) return await listSnapshots(repository, filter)
  const found = new Map<string, StoredSnapshot>()
  for (const text of texts) {
    const stored = await findSnapshot(repository, text, filter)
    found.set(stored.id, stored)
  }
  return [...found.values()]
}

/** The snapshot, and the path in it, that `ID` or `ID:path` names. */
export async function findSnapshotPath(
  repository: Repository,
  text: string,
  filter: SnapshotFilter = {},
): Promise<StoredSnapshot & { readonly path: ByteString }> {
  const { snapshot, path } = splitSnapshotPath(text)
  return { ...(await findSnapshot(repository, snapshot, filter)), path }
}

/** The directory that `ID` or `ID:path` names. Rejects USAGE if it is something else. */
export async function findTree(
  repository: Repository,
  text: string,
): Promise<{ readonly id: SnapshotId; readonly tree: ObjectId; readonly path: ByteString }> {
  const { id, snapshot, path } = await findSnapshotPath(repository, text)
  const entry = await findEntry(repository.load, snapshot.tree, path)
  if (entry === '/') return { id, tree: snapshot.tree, path }
  if (entry.node.type === 'directory') return { id, tree: entry.node.tree, path }
  throw new ChainkeepError('USAGE', `${displayBytes(path)} is not a directory in snapshot ${shortId(id)}`, { path })
}
