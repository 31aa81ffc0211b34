import { closeSync, constants, openSync, readSync } from 'node:fs'
import { type ByteString, bufferView, displayBytes, fromByteString } from '../base/bytes.ts'
import { ID_BYTES } from '../base/ids.ts'
import { hashChunks } from '../native/hash.ts'
import { batchEnds } from './batch.ts'
import { describeFailure } from './failure.ts'
import type { TaskFailure } from './tasks.ts'
import type { Tools } from './tools.ts'

/** Finds out which chunks a file holds already, at the places where they belong. */
export interface CompareTask {
  readonly path: ByteString
  /** Consecutive chunks: where the first begins, their ids (packed) and lengths. */
  readonly offset: number
  readonly ids: Uint8Array
  readonly lengths: readonly number[]
}

export interface CompareResult {
  /** 1 for each chunk that is there. */
  readonly same: Uint8Array
  readonly failure?: TaskFailure
}

export async function runCompare(task: CompareTask, tools: Tools): Promise<CompareResult> {
  const same = new Uint8Array(task.lengths.length)
  let fd: number
  try {
    fd = openSync(fromByteString(task.path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    return { same, failure: describeFailure(error, `cannot read ${displayBytes(task.path)}`) }
  }
  let offset = task.offset
  try {
    for (let first = 0; first < task.lengths.length; ) {
      const ends = batchEnds(task.lengths, first)
      const length = ends.at(-1)!
      const buffer = tools.borrow(length)
      try {
        const there = readUpTo(fd, buffer, length, offset)
        const ids = new Uint8Array(ends.length * ID_BYTES)
        hashChunks(buffer, 0, ends, ends.length, ids, 0)
        for (const [i, end] of ends.entries())
          same[first + i] = end <= there && idAt(ids, i).equals(idAt(task.ids, first + i)) ? 1 : 0
      } finally {
        tools.giveBack(buffer)
      }
      first += ends.length
      offset += length
    }
    return { same }
  } catch (error) {
    return { same, failure: describeFailure(error, `cannot read ${displayBytes(task.path)}`) }
  } finally {
    closeSync(fd)
  }
}

const idAt = (ids: Uint8Array, i: number): Buffer => bufferView(ids).subarray(i * ID_BYTES, (i + 1) * ID_BYTES)

/** Returns how many bytes there were; fewer than asked for only at the file's end. */
function readUpTo(fd: number, buffer: Buffer, length: number, offset: number): number {
  let done = 0
  while (done < length) {
    const count = readSync(fd, buffer, done, length - done, offset + done)
    if (count === 0) break
    done += count
  }
  return done
}
