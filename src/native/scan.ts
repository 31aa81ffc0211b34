import { bufferView } from '../base/bytes.ts'
import { GEAR_HIGH, GEAR_LOW, MASKS } from './gear.ts'
import { kernel } from './kernel.ts'

/** What decides where chunks end. Stored in the repository's config: other parameters, other chunks. */
export interface CutParameters {
  readonly minBytes: number
  readonly averageBytes: number
  readonly maxBytes: number
  /** How strongly sizes are drawn to the average ("normalisation"): 0 not at all, 3 the most. */
  readonly level: number
}

/**
 * Finds the ends of chunks in bytes[start, end), the first chunk beginning at `start`. Writes them to `ends` as offsets
 * into `bytes` and returns their number; `endsAtMost` tells the room they need, and too little of it is a RangeError.
 * With `last`, `end` ends the last chunk. Without, it stops as soon as fewer than maxBytes remain: a chunk's end may
 * depend on that many bytes, so the caller carries them over.
 */
export type FindCuts = (bytes: Uint8Array, start: number, end: number, last: boolean, ends: Uint32Array) => number

/** The most ends that `length` bytes can have. */
export const endsAtMost = (length: number, parameters: CutParameters): number => Math.ceil(length / parameters.minBytes)

/**
 * FastCDC, cut for cut as fastcdc-rs v2020 (Xia et al., "The Design of Fast Content-Defined Chunking for Data
 * Deduplication Based Storage Systems", TPDS 2020). Throws RangeError for parameters outside fastcdc-rs's limits, or odd
 * ones, on which its two published versions disagree. By the kernel where there is one.
 */
export function createFindCuts(parameters: CutParameters): FindCuts {
  checkParameters(parameters)
  return kernel()?.createFindCuts(parameters) ?? createReferenceFindCuts(parameters)
}

/** What `createFindCuts` does without the kernel, for parameters that it has checked. */
export function createReferenceFindCuts(parameters: CutParameters): FindCuts {
  const { minBytes, averageBytes, maxBytes, level } = parameters
  const bits = Math.round(Math.log2(averageBytes))
  const strict = splitMask(bits + level)
  const loose = splitMask(bits - level)
  const zeros = Buffer.alloc(maxBytes)
  let zeroRunEnd = 0 // where a chunk of zeros ends; found by the scan itself when first asked for

  function chunkEnd(bytes: Uint8Array, start: number, end: number): number {
    const stop = end - ((end - start) & 1) // v2020 looks at pairs of bytes, never at an odd last one
    const centre = Math.min(start + averageBytes, stop)
    return scan(bytes, start + minBytes, centre, stop, strict, loose) ?? end
  }

  return function findCuts(bytes, start, end, last, ends) {
    if (!(start >= 0 && start <= end && end <= bytes.length))
      throw new RangeError(`no bytes ${start} to ${end} of ${bytes.length}`)
    let count = 0
    for (let at = start; last ? at < end : end - at >= maxBytes; count++) {
      if (count === ends.length) throw new RangeError(`no room for more than ${count} ends`)
      if (
        end - at >= maxBytes &&
        beginsWithZeros(bytes, at) &&
        bufferView(bytes).compare(zeros, 0, maxBytes, at, at + maxBytes) === 0
      ) {
        zeroRunEnd ||= chunkEnd(zeros, 0, maxBytes)
        at += zeroRunEnd
      } else at = chunkEnd(bytes, at, Math.min(end, at + maxBytes))
      ends[count] = at
    }
    return count
  }
}

/** Cheap enough to ask of every chunk; comparing all of it waits until this holds. */
const beginsWithZeros = (bytes: Uint8Array, at: number): boolean =>
  (bytes[at]! | bytes[at + 1]! | bytes[at + 2]! | bytes[at + 3]!) === 0

interface SplitMask {
  readonly high: number
  readonly low: number
}

const splitMask = (bits: number): SplitMask => ({
  high: Math.floor(MASKS[bits]! / 2 ** 24),
  low: MASKS[bits]! % 2 ** 24,
})

/**
 * The first offset in [at, stop) whose hash matches: of `strict` before `centre`, of `loose` from there on.
 *
 * The hash is h = 2h + gear[byte], modulo 2^48, in two halves. The low half has room for four doublings in an int32, so
 * what it carries is moved into the high half once in four bytes and only added for the tests in between. Against one
 * byte a turn, with a carry each: 300 -> 830 MB/s (bench/micro/scan.ts). The high half needs no trimming, because bits
 * that overflow an int32 can reach no mask.
 */
function scan(
  bytes: Uint8Array,
  at: number,
  centre: number,
  stop: number,
  strict: SplitMask,
  loose: SplitMask,
): number | undefined {
  let high = 0
  let low = 0
  for (const [until, mask] of [
    [centre, strict],
    [stop, loose],
  ] as const) {
    const { high: maskHigh, low: maskLow } = mask
    for (const unrolled = until - 3; at < unrolled; at += 4) {
      let byte = bytes[at]!
      low = (low << 1) + GEAR_LOW[byte]!
      high = ((high << 1) + GEAR_HIGH[byte]!) | 0
      if (((high + (low >> 24)) & maskHigh) === 0 && (low & maskLow) === 0) return at
      byte = bytes[at + 1]!
      low = (low << 1) + GEAR_LOW[byte]!
      high = ((high << 1) + GEAR_HIGH[byte]!) | 0
      if (((high + (low >> 24)) & maskHigh) === 0 && (low & maskLow) === 0) return at + 1
      byte = bytes[at + 2]!
      low = (low << 1) + GEAR_LOW[byte]!
      high = ((high << 1) + GEAR_HIGH[byte]!) | 0
      if (((high + (low >> 24)) & maskHigh) === 0 && (low & maskLow) === 0) return at + 2
      byte = bytes[at + 3]!
      low = (low << 1) + GEAR_LOW[byte]!
      high = ((high << 1) + GEAR_HIGH[byte]! + (low >> 24)) | 0
      low &= 0xffffff
      if ((high & maskHigh) === 0 && (low & maskLow) === 0) return at + 3
    }
    for (; at < until; at++) {
      const byte = bytes[at]!
      low = (low << 1) + GEAR_LOW[byte]!
      high = ((high << 1) + GEAR_HIGH[byte]! + (low >> 24)) | 0
      low &= 0xffffff
      if ((high & maskHigh) === 0 && (low & maskLow) === 0) return at
    }
  }
  return undefined
}

// The limits are fastcdc-rs's.
function checkParameters({ minBytes, averageBytes, maxBytes, level }: CutParameters): void {
  checkEven('minBytes', minBytes, 64, 2 ** 20)
  checkEven('averageBytes', averageBytes, 256, 4 * 2 ** 20)
  checkEven('maxBytes', maxBytes, 1024, 16 * 2 ** 20)
  if (!(minBytes < averageBytes && averageBytes < maxBytes))
    throw new RangeError(`chunk sizes must grow from least to most: ${minBytes}, ${averageBytes}, ${maxBytes}`)
  if (![0, 1, 2, 3].includes(level)) throw new RangeError(`level must be 0, 1, 2 or 3: ${level}`)
}

function checkEven(name: string, value: number, least: number, most: number): void {
  if (!(Number.isInteger(value) && value % 2 === 0 && value >= least && value <= most))
    throw new RangeError(`${name} must be an even number from ${least} to ${most}: ${value}`)
}
