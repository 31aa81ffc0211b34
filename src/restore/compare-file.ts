import type { ByteString } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import type { FileNode } from '../format/node.ts'
import { MAX_PLAIN_BYTES } from '../format/object.ts'
import { type ChunkRun, walkChunks } from '../repository/lists.ts'
import type { CompareResult } from '../worker/compare.ts'
import type { RestoreJob } from './job.ts'

/** The chunks of a file, as `walkChunks` lists them; CORRUPT for a chunk longer than any. */
export async function* walkFile({ repository }: RestoreJob, node: FileNode): AsyncGenerator<ChunkRun, void, undefined> {
  for await (const run of walkChunks(repository.load, node.content, node.size)) {
    if (run.lengths.some((length) => length > MAX_PLAIN_BYTES))
      throw new ChainkeepError('CORRUPT', 'a list with a chunk that is longer than any')
    yield run
  }
}

/** Which chunks of a run are at their place in the file `target` already. */
export function compareRun({ pool }: RestoreJob, target: ByteString, run: ChunkRun): Promise<CompareResult> {
  const { offset, lengths } = run
  // A view would be cloned with all the memory below it.
  const ids = Uint8Array.from(run.ids)
  let end = offset
  const offsets = lengths.map((length) => (end += length) - length)
  return pool.run('compare', { path: target, offsets, ids, lengths }, { bytes: end - offset })
}

export const runBytes = ({ lengths }: ChunkRun): number => lengths.reduce((sum, length) => sum + length, 0)

/** Whether the file `target` holds all the chunks of `node`. Its length is not looked at. */
export async function hasContent(job: RestoreJob, node: FileNode, target: ByteString): Promise<boolean> {
  for await (const run of walkFile(job, node)) if ((await compareRun(job, target, run)).same.includes(0)) return false
  return true
}
