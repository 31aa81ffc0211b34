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
  /** Chunks: where they begin in the file, in its order, their ids (packed) and lengths. */
  readonly offsets: readonly number[]
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
  try {
    for (let first = 0; first < task.lengths.length; ) {
      const ends = batchEnds(task.lengths, first)
      const buffer = tools.borrow(ends.at(-1)!)
      try {
        const isThere = readChunks(fd, buffer, ends, task.offsets.slice(first, first + ends.length))
        const ids = new Uint8Array(ends.length * ID_BYTES)
        hashChunks(buffer, 0, ends, ends.length, ids, 0)
        for (const i of ends.keys())
          same[first + i] = isThere[i] && idAt(ids, i).equals(idAt(task.ids, first + i)) ? 1 : 0
      } finally {
        tools.giveBack(buffer)
      }
      first += ends.length
    }
    return { same }
  } catch (error) {
    return { same, failure: describeFailure(error, `cannot read ${displayBytes(task.path)}`) }
  } finally {
    closeSync(fd)
  }
}

const idAt = (ids: Uint8Array, i: number): Buffer => bufferView(ids).subarray(i * ID_BYTES, (i + 1) * ID_BYTES)

/** Reads chunks into `buffer`, to end at `ends`, those that follow one another in one go. Answers which the file has. */
function readChunks(fd: number, buffer: Buffer, ends: Uint32Array, offsets: readonly number[]): boolean[] {
  const isThere: boolean[] = []
  while (isThere.length < ends.length) {
    const first = isThere.length
    const start = ends[first - 1] ?? 0
    let last = first
    while (offsets[last + 1] === offsets[first]! + ends[last]! - start) last++
    const end = start + readUpTo(fd, buffer.subarray(start, ends[last]), offsets[first]!)
    for (let i = first; i <= last; i++) isThere.push(ends[i]! <= end)
  }
  return isThere
}

/** Returns how many bytes there were; fewer than there is room for only at the file's end. */
function readUpTo(fd: number, buffer: Buffer, offset: number): number {
  let done = 0
  while (done < buffer.length) {
    const count = readSync(fd, buffer, done, buffer.length - done, offset + done)
    if (count === 0) break
    done += count
  }
  return done
}
