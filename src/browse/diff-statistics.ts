import { toByteString } from '../base/bytes.ts'
import { ID_BYTES, type ObjectId } from '../base/ids.ts'
import type { FileNode, Node } from '../format/node.ts'
import { type LoadObject, walkChunks } from '../repository/lists.ts'
import type { Change } from './diff.ts'

export interface DiffStatistics {
  changedFiles: number
  readonly added: SideStatistics
  readonly removed: SideStatistics
  /** On both sides, with the same content. */
  readonly onlyMetadata: NodeCounts
}

export interface NodeCounts {
  files: number
  directories: number
  others: number
}

export interface SideStatistics extends NodeCounts {
  /** Of the files that only this side has, and of those in both the chunks that only this side has. */
  bytes: number
}

export function emptyDiffStatistics(): DiffStatistics {
  const counts = (): NodeCounts => ({ files: 0, directories: 0, others: 0 })
  const side = (): SideStatistics => ({ ...counts(), bytes: 0 })
  return { changedFiles: 0, added: side(), removed: side(), onlyMetadata: counts() }
}

/** Counts one change in. A file whose content has changed costs reading those of its lists that have. */
export async function countChange(
  load: LoadObject,
  statistics: DiffStatistics,
  { before, after, modifier }: Change,
): Promise<void> {
  if (modifier === 'M' && before?.type === 'file' && after?.type === 'file') {
    const [removed, added] = await differingBytes(load, before, after)
    statistics.removed.bytes += removed
    statistics.added.bytes += added
  }
  if (modifier === 'M') statistics.changedFiles++
  if (modifier === 'U') countNode(statistics.onlyMetadata, after)
  if (modifier === '-' || modifier === 'T') countSide(statistics.removed, before)
  if (modifier === '+' || modifier === 'T') countSide(statistics.added, after)
}

function countSide(side: SideStatistics, node: Node | undefined): void {
  countNode(side, node)
  if (node?.type === 'file') side.bytes += node.size
}

function countNode(counts: NodeCounts, node: Node | undefined): void {
  if (node?.type === 'file') counts.files++
  else if (node?.type === 'directory') counts.directories++
  else counts.others++
}

/** Bytes in chunks that only `a` has, and in those that only `b` has. Memory: 100 bytes for each chunk below lists that only one has. */
async function differingBytes(load: LoadObject, a: FileNode, b: FileNode): Promise<[onlyA: number, onlyB: number]> {
  const listsOfA = new Set<ObjectId>()
  const shared = new Set<ObjectId>()
  for await (const _ of walkChunks(load, a.content, a.size, (id) => !!listsOfA.add(id)));
  const chunksOfB = await chunksOutside(load, b, (id) => listsOfA.has(id) && !!shared.add(id))
  const chunksOfA = await chunksOutside(load, a, (id) => shared.has(id))
  const only = (chunks: Map<string, number>, others: Map<string, number>): number =>
    [...chunks].reduce((sum, [id, length]) => (others.has(id) ? sum : sum + length), 0)
  return [only(chunksOfA, chunksOfB), only(chunksOfB, chunksOfA)]
}

/** The lengths of a file's chunks by id, but for those below lists that `skip` says yes to. */
async function chunksOutside(
  load: LoadObject,
  file: FileNode,
  skip: (list: ObjectId) => boolean,
): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for await (const { ids, lengths } of walkChunks(load, file.content, file.size, (id) => !skip(id)))
    for (const [i, length] of lengths.entries())
      found.set(toByteString(ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)), length)
  return found
}
