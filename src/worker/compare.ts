import { closeSync, constants, openSync, readSync } from 'node:fs'
import { type ByteString, displayBytes, fromByteString } from '../base/bytes.ts'
import { ID_BYTES } from '../base/ids.ts'
import { hashChunks } from '../native/hash.ts'
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
  const id = new Uint8Array(ID_BYTES)
  let offset = task.offset
  try {
    for (const [i, length] of task.lengths.entries()) {
      const buffer = tools.borrow(length)
      if (readFully(fd, buffer, length, offset)) {
        hashChunks(buffer, 0, Uint32Array.of(length), 1, id, 0)
        same[i] = Buffer.compare(id, task.ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)) === 0 ? 1 : 0
      }
      tools.giveBack(buffer)
      offset += length
    }
    return { same }
  } catch (error) {
    return { same, failure: describeFailure(error, `cannot read ${displayBytes(task.path)}`) }
  } finally {
    closeSync(fd)
  }
}

function readFully(fd: number, buffer: Buffer, length: number, offset: number): boolean {
  for (let done = 0; done < length; ) {
    const count = readSync(fd, buffer, done, length - done, offset + done)
    if (count === 0) return false
    done += count
  }
  return true
}
