import { type Compressor, createCompressor, type Effort } from '../native/compress.ts'
import { sha3_256 } from '../native/hash.ts'
import { type CutParameters, createFindCuts, type FindCuts } from '../native/scan.ts'

/** What a thread keeps from task to task, because it is dear to make. */
export interface Tools {
  findCuts(parameters: CutParameters): FindCuts
  compressor(effort: Effort): Compressor
  /** The id of a chunk of `length` zero bytes. */
  zerosId(length: number): Uint8Array
  /** A buffer of at least `length` bytes; give it back with `giveBack`. What is in it is undefined. */
  borrow(length: number): Buffer
  giveBack(buffer: Buffer): void
}

export function createTools(): Tools {
  const scanners = new Map<string, FindCuts>()
  const compressors = new Map<Effort, Compressor>()
  const zeros = new Map<number, Uint8Array>()
  const buffers: Buffer[] = []
  return {
    findCuts: (parameters) => remember(scanners, JSON.stringify(parameters), () => createFindCuts(parameters)),
    compressor: (effort) => remember(compressors, effort, () => createCompressor(effort)),
    zerosId: (length) => remember(zeros, length, () => sha3_256(Buffer.alloc(length))),
    borrow(length) {
      const found = buffers.findIndex((buffer) => buffer.length >= length)
      return found === -1 ? Buffer.allocUnsafeSlow(Math.max(length, LEAST_BYTES)) : buffers.splice(found, 1)[0]!
    },
    giveBack(buffer) {
      if (buffers.length < BUFFERS_KEPT) buffers.push(buffer)
    },
  }
}

/** So that a buffer made for a short object serves the next one, too. */
const LEAST_BYTES = 256 * 1024
/** Two tasks at once on a thread, and for each the slice that is being filled and the two that wait for answers (cut.ts). */
const BUFFERS_KEPT = 6

function remember<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}
