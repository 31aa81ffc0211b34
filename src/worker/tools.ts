import { sha3_256 } from '../native/hash.ts'
import { type CutParameters, createFindCuts, type FindCuts } from '../native/scan.ts'

/** What a thread keeps from task to task, because it is dear to make. */
export interface Tools {
  findCuts(parameters: CutParameters): FindCuts
  /** The id of a chunk of `length` zero bytes. */
  zerosId(length: number): Uint8Array
  /** A buffer of at least `length` bytes; give it back with `giveBack`. What is in it is undefined. */
  borrow(length: number): Buffer
  giveBack(buffer: Buffer): void
  /** As `borrow`, but other threads see it, too. V8 takes what comes and goes between threads for garbage to be collected. */
  borrowShared(length: number): Buffer
  giveBackShared(buffer: Buffer): void
}

export function createTools(): Tools {
  const scanners = new Map<string, FindCuts>()
  const zeros = new Map<number, Uint8Array>()
  const own = createStock((length) => Buffer.allocUnsafeSlow(length))
  const shared = createStock((length) => Buffer.from(new SharedArrayBuffer(length)))
  return {
    findCuts: (parameters) => remember(scanners, JSON.stringify(parameters), () => createFindCuts(parameters)),
    zerosId: (length) => remember(zeros, length, () => sha3_256(Buffer.alloc(length))),
    borrow: own.borrow,
    giveBack: own.giveBack,
    borrowShared: shared.borrow,
    giveBackShared: shared.giveBack,
  }
}

interface Stock {
  borrow(length: number): Buffer
  giveBack(buffer: Buffer): void
}

function createStock(make: (length: number) => Buffer): Stock {
  const buffers: Buffer[] = []
  return {
    borrow(length) {
      const found = buffers.findIndex((buffer) => buffer.length >= length)
      return found === -1 ? make(roomFor(length)) : buffers.splice(found, 1)[0]!
    },
    giveBack(buffer) {
      buffers.push(buffer)
      if (buffers.length > BUFFERS_KEPT) buffers.sort((a, b) => a.length - b.length).shift()
    },
  }
}

/** Few sizes, so that a buffer serves again what is a little longer: fresh memory costs as much as reading into it. */
const roomFor = (length: number): number => 2 ** Math.ceil(Math.log2(Math.max(length, LEAST_BYTES)))

const LEAST_BYTES = 256 * 1024
/** Two tasks at once on a thread, and for each the slice that is being filled and the two that wait for answers (cut.ts). */
const BUFFERS_KEPT = 6

function remember<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}
