import { type ByteString, isAllZero } from '../base/bytes.ts'
import { TargetFiles } from './target-files.ts'
import type { TaskFailure } from './tasks.ts'
import type { Tools } from './tools.ts'
import { type OpenedBatch, openObjects, type VerifyTask } from './verify.ts'

/** Opens chunks of a pack and writes them to where they belong, each checked against its id first. */
export interface WriteTask extends VerifyTask {
  /** Existing files. */
  readonly paths: readonly ByteString[]
  /** Three numbers for each write: object, path, offset in that file; in the order of objects. */
  readonly writes: Float64Array
  /** For each path 1 if zeros need not be written, because the file is a hole there. */
  readonly skipZeros: Uint8Array
}

export interface WriteResult {
  readonly bytesWritten: number
  /** Objects that could not be opened, and paths that could not be written. */
  readonly failures: readonly (TaskFailure & ({ readonly object: number } | { readonly path: number }))[]
}

export async function runWrite(task: WriteTask, tools: Tools): Promise<WriteResult> {
  using files = new TargetFiles(task.paths)
  const failures: WriteResult['failures'][number][] = []
  let bytesWritten = 0
  let at = 0
  for (const batch of openObjects(task, tools, false)) {
    failures.push(...batch.failures)
    const end = endOfWrites(task, at, batch.first + batch.ends.length)
    for (const { path, offset, from, to } of planWrites(task, batch, at, end))
      if (files.write(path, batch.bytes.subarray(from, to), offset)) bytesWritten += to - from
    at = end
  }
  return { bytesWritten, failures: [...failures, ...files.failures] }
}

/** Where in `writes` those of the objects before number `object` end; `at` is where some of them begin. */
function endOfWrites({ writes }: WriteTask, at: number, object: number): number {
  while (writes[at]! < object) at += 3
  return at
}

/** Bytes of a batch that go to one place of a file. */
interface PlannedWrite {
  readonly path: number
  readonly offset: number
  readonly from: number
  to: number
}

/**
 * The writes `at` to `end` of the task, of objects of the batch, less those that are not right, and zeros where there is a hole.
 * What lies one behind the other in the batch and in its file is written in one go: each call costs, and large ones have
 * the kernel keep the file in larger pages.
 */
function planWrites(task: WriteTask, batch: OpenedBatch, at: number, end: number): PlannedWrite[] {
  const { writes, skipZeros } = task
  const { first, ends, bytes } = batch
  const skipsZeros = skipZeros.includes(1)
  const isZero = Array.from(ends, (to, i) => skipsZeros && isAllZero(bytes.subarray(ends[i - 1] ?? 0, to)))
  const failed = new Set(batch.failures.map(({ object }) => object - first))
  const planned: PlannedWrite[] = []
  for (; at < end; at += 3) {
    const i = writes[at]! - first
    const path = writes[at + 1]!
    if (failed.has(i) || (isZero[i] && skipZeros[path] === 1)) continue
    planned.push({ path, offset: writes[at + 2]!, from: ends[i - 1] ?? 0, to: ends[i]! })
  }
  planned.sort((a, b) => a.path - b.path || a.offset - b.offset)
  const joined: PlannedWrite[] = []
  for (const next of planned) {
    const last = joined.at(-1)
    if (last?.path === next.path && last.to === next.from && last.offset + last.to - last.from === next.offset)
      last.to = next.to
    else joined.push(next)
  }
  return joined
}
