import { type ByteString, isAllZero } from '../base/bytes.ts'
import { TargetFiles } from './target-files.ts'
import type { TaskFailure } from './tasks.ts'
import type { Tools } from './tools.ts'
import { openObjects, type VerifyTask } from './verify.ts'

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
  const { writes, skipZeros } = task
  using files = new TargetFiles(task.paths)
  const skipsZeros = skipZeros.includes(1)
  const failures: WriteResult['failures'][number][] = []
  let bytesWritten = 0
  let at = 0
  for (const { first, bytes, ends, failures: failed } of openObjects(task, tools, false)) {
    failures.push(...failed)
    const isFailed = new Set(failed.map(({ object }) => object))
    for (const [i, end] of ends.entries()) {
      const plain = bytes.subarray(ends[i - 1] ?? 0, end)
      const isZero = skipsZeros && isAllZero(plain)
      for (; writes[at] === first + i; at += 3) {
        const path = writes[at + 1]!
        if (isFailed.has(first + i) || (isZero && skipZeros[path] === 1)) continue
        if (files.write(path, plain, writes[at + 2]!)) bytesWritten += plain.length
      }
    }
  }
  return { bytesWritten, failures: [...failures, ...files.failures] }
}
