import { mapOrdered } from '../base/async.ts'
import type { ByteString } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import { LIST_MAX_ENTRIES } from '../format/list.ts'
import type { FileNode } from '../format/node.ts'
import { MAX_PLAIN_BYTES } from '../format/object.ts'
import { type ChunkRun, walkChunks } from '../repository/lists.ts'
import type { CompareResult } from '../worker/compare.ts'
import type { RestoreJob } from './job.ts'

/**
 * The chunks of a file, as `walkChunks` lists them, in longer runs: at most LIST_MAX_ENTRIES chunks, and one list's or some
 * MiB. CORRUPT for a chunk longer than any.
 */
export async function* walkFile({ repository }: RestoreJob, node: FileNode): AsyncGenerator<ChunkRun, void, undefined> {
  let open: { bytes: number; readonly runs: ChunkRun[] } = { bytes: 0, runs: [] }
  let failure: { error: unknown } | undefined
  try {
    for await (const run of walkChunks(repository.load, node.content, node.size)) {
      if (run.lengths.some((length) => length > MAX_PLAIN_BYTES))
        throw new ChainkeepError('CORRUPT', 'a list with a chunk that is longer than any')
      const bytes = open.bytes + runBytes(run)
      const chunks = open.runs.reduce((sum, { lengths }) => sum + lengths.length, run.lengths.length)
      if (open.runs.length > 0 && (bytes > JOINED_BYTES || chunks > LIST_MAX_ENTRIES)) {
        yield joinRuns(open.runs)
        open = { bytes: runBytes(run), runs: [run] }
      } else open = { bytes, runs: [...open.runs, run] }
    }
  } catch (error) {
    failure = { error } // what came before is right
  }
  if (open.runs.length > 0) yield joinRuns(open.runs)
  if (failure) throw failure.error
}

/** Sending a thread a task takes as long as comparing a tenth of a MiB, or longer where there are few cores. */
const JOINED_BYTES = 8 * 2 ** 20

function joinRuns(runs: readonly ChunkRun[]): ChunkRun {
  const [first] = runs
  return {
    offset: first!.offset,
    ids: Buffer.concat(runs.map(({ ids }) => ids)),
    lengths: runs.flatMap(({ lengths }) => lengths),
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

/** Compares all of a file, several runs at once; tells of each in order. */
export async function* compareFile(
  job: RestoreJob,
  node: FileNode,
  target: ByteString,
): AsyncGenerator<CompareResult & { readonly run: ChunkRun }, void, undefined> {
  yield* mapOrdered(walkFile(job, node), job.pool.capacity, async (run) => ({
    run,
    ...(await compareRun(job, target, run)),
  }))
}

/** Whether the file `target` holds all the chunks of `node`. Its length is not looked at. */
export async function hasContent(job: RestoreJob, node: FileNode, target: ByteString): Promise<boolean> {
  for await (const { same } of compareFile(job, node, target)) if (same.includes(0)) return false
  return true
}
