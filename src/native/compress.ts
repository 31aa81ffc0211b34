import { createRequire } from 'node:module'
import type * as Zstd from 'zstd-napi/binding.js'
import { bufferView } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'

/** How an object's bytes are stored (FORMAT.md): as they are, or as one zstd frame. */
export const CODEC_RAW = 0
export const CODEC_ZSTD = 1

export interface Compressor {
  /**
   * Compresses `plain` into `target` at `offset`, where there must be room for plain.length bytes. Returns the length of
   * the result, always less than plain.length, or 0 when it does not pay: then `plain` is to be stored raw, and what
   * that room holds is undefined.
   */
  compressInto(plain: Uint8Array, target: Uint8Array, offset: number): number
}

/**
 * `effort` is a zstd level from -7 to 19, or `auto`: a fast level first, raw where that saves next to nothing, and a
 * better level where it saves much. Holds a zstd context, some 100 KB to some MB, until it is collected.
 *
 * Ratio of 64 KiB chunks and, in brackets, MB/s on one core of a 2.5 GHz Xeon (bench/compress.bench.ts):
 *
 * |                     | -5           | -3           | 1           | 3           | auto        |
 * |---------------------|--------------|--------------|-------------|-------------|-------------|
 * | recent blocks       | 0.742 (1024) | 0.736 (1013) | 0.723 (405) | 0.720 (283) | 0.732 (519) |
 * | the same, XOR-ed    | 0.858 (1033) | 0.848 (953)  | 0.826 (548) | 0.812 (284) | 0.836 (400) |
 * | undo data           | 0.392 (1296) | 0.345 (1339) | 0.342 (843) | 0.343 (553) | 0.342 (498) |
 * | like chainstate     | 0.944 (1207) | 0.838 (908)  | 0.795 (463) | 0.804 (175) | 0.838 (899) |
 * | lines of JSON       | 0.607 (1016) | 0.509 (1019) | 0.250 (588) | 0.282 (363) | 0.250 (350) |
 *
 * So -3 is hardly slower than -5 and saves more, much more on records; 1 halves what is left of text and earns 2 % on
 * blocks; from 3 on, levels cost more than they save. Looking at the first result from a quarter saved on takes nearly
 * all of text and few blocks.
 */
export function createCompressor(effort: 'auto' | number): Compressor {
  if (effort !== 'auto' && !(Number.isInteger(effort) && effort >= -7 && effort <= 19))
    throw new RangeError(`zstd level must be from -7 to 19: ${effort}`)
  let context: Zstd.CCtx | undefined

  /** Returns 0 where the result does not fit into `room` bytes. */
  function compressWithin(room: number, plain: Uint8Array, target: Uint8Array, offset: number, level: number): number {
    context ??= new (zstd().CCtx)()
    try {
      return context.compress(target.subarray(offset, offset + room), plain, level)
    } catch (error) {
      if (error instanceof Error && error.message === TARGET_TOO_SMALL) return 0
      throw error
    }
  }

  return {
    compressInto(plain, target, offset) {
      if (!(offset >= 0 && offset + plain.length <= target.length))
        throw new RangeError(`no room for ${plain.length} bytes at ${offset} of ${target.length}`)
      if (plain.length === 0) return 0
      if (effort !== 'auto') return compressWithin(plain.length - 1, plain, target, offset, effort)
      const worthwhile = Math.floor(plain.length * WORTHWHILE_RATIO)
      const fast = compressWithin(worthwhile, plain, target, offset, FAST_LEVEL)
      if (fast === 0 || fast > plain.length * PROMISING_RATIO) return fast
      return (
        compressWithin(worthwhile, plain, target, offset, BETTER_LEVEL) ||
        compressWithin(worthwhile, plain, target, offset, FAST_LEVEL)
      )
    },
  }
}

/**
 * Decompresses one zstd frame into `target`, which must be exactly as long as the plaintext. Throws CORRUPT unless
 * `stored` is one frame, no less and no more, that fills the target exactly. Never writes beyond the target nor
 * allocates by what the frame claims.
 */
export function decompressInto(stored: Uint8Array, target: Uint8Array): void {
  const { MAGICNUMBER, findFrameCompressedSize, getFrameContentSize, decompress } = zstd()
  let length: number
  try {
    // zstd would take several frames, and skip those made to be skipped.
    const magic = bufferView(stored).readUInt32LE(0)
    if (magic !== MAGICNUMBER || findFrameCompressedSize(stored) !== stored.length)
      throw new Error('not a single frame')
    if (getFrameContentSize(stored) !== target.length) throw new Error('another length is declared')
    length = decompress(target, stored)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ChainkeepError('CORRUPT', `not the zstd frame of ${target.length} bytes: ${reason}`, {}, error)
  }
  if (length !== target.length)
    throw new ChainkeepError('CORRUPT', `a zstd frame of ${length} bytes, not ${target.length}`)
}

const FAST_LEVEL = -3
const BETTER_LEVEL = 1
const WORTHWHILE_RATIO = 0.97
const PROMISING_RATIO = 0.75
const TARGET_TOO_SMALL = 'Destination buffer is too small' // zstd's name of ZSTD_error_dstSize_tooSmall

const require: NodeJS.Require = createRequire(import.meta.url)
let addon: typeof Zstd | undefined

/** Loads the addon when it is first called: that takes 6 ms, which a command that compresses nothing should not pay. */
function zstd(): typeof Zstd {
  addon ??= require('zstd-napi/binding.js') as typeof Zstd
  return addon
}
