import { createRequire } from 'node:module'
import type * as Zstd from 'zstd-napi/binding.js'
import { bufferView } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import { applyXorKey, findXorKey, rotateKey, XOR_KEY_BYTES } from './xor-key.ts'

/** How an object's bytes are stored (FORMAT.md §3): as they are, as a zstd frame, or so behind the XOR key they were freed of. */
export const CODEC_RAW = 0
export const CODEC_ZSTD = 1
export const CODEC_XOR_ZSTD = 4

export interface Compressor {
  /**
   * Compresses `plain`, which lies at `position` of its file, into `target` at `offset`, where there must be room for
   * plain.length bytes. The result is always shorter than `plain`; undefined when it does not pay: then `plain` is to be
   * stored raw, and what that room holds is undefined.
   */
  compressInto(plain: Uint8Array, target: Uint8Array, offset: number, position?: number): Compressed | undefined
}

export interface Compressed {
  readonly codec: number
  readonly length: number
}

/** How hard to compress: a zstd level, `off`, or by what pays. */
export type Effort = 'auto' | 'off' | number

/**
 * `effort` is a zstd level from -7 to 19, `off`, or `auto`: of a stream of chunks, one in 4 MiB is looked at closely, and
 * decides for those after it. Block files are freed of the XOR key that is found in them. Where a better level saves a
 * tenth of what the fast one leaves, it is used. What saves next to nothing is left raw. One compressor a stream: it
 * remembers little but what it decided.
 *
 * Ratio of 64 KiB chunks and, in brackets, MB/s on one core of a 2.5 GHz Xeon (bench/micro/compress.ts), key removed
 * where there is one:
 *
 * |                        | -5           | -3           | 1           | 3           | auto         |
 * |------------------------|--------------|--------------|-------------|-------------|--------------|
 * | recent blocks          | 0.742 (984)  | 0.736 (1017) | 0.723 (484) | 0.720 (324) | 0.742 (1187) |
 * | the same under a key   | 0.742 (908)  | 0.736 (833)  | 0.723 (443) | 0.720 (288) | 0.742 (911)  |
 * | … if it is not removed | 0.858 (1033) | 0.848 (953)  | 0.826 (548) | 0.812 (284) |              |
 * | undo data              | 0.392 (1417) | 0.345 (1355) | 0.342 (873) | 0.343 (596) | 0.342 (899)  |
 * | like chainstate        | 0.945 (1297) | 0.837 (939)  | 0.796 (543) | 0.804 (293) | 0.796 (544)  |
 * | lines of JSON          | 0.607 (1070) | 0.509 (1005) | 0.250 (623) | 0.282 (390) | 0.250 (607)  |
 *
 * So -5 is as fast as it gets with nearly all of what blocks have to give; 1 halves what is left of text and takes a sixth off
 * records; from 3 on, levels cost more than they save.
 */
export function createCompressor(effort: Effort): Compressor {
  if (effort === 'off') return { compressInto: () => undefined }
  if (effort !== 'auto' && !(Number.isInteger(effort) && effort >= -7 && effort <= 19))
    throw new RangeError(`zstd level must be from -7 to 19: ${effort}`)
  let level = effort === 'auto' ? FAST_LEVEL : effort
  /** As it lies at position 0. */
  let key: Uint8Array | undefined
  let bytesUntilProbe = 0

  return {
    compressInto(plain, target, offset, position = 0) {
      if (!(offset >= 0 && offset + plain.length <= target.length))
        throw new RangeError(`no room for ${plain.length} bytes at ${offset} of ${target.length}`)
      const isProbe = bytesUntilProbe <= 0
      bytesUntilProbe = (isProbe ? PROBE_BYTES : bytesUntilProbe) - plain.length
      if (isProbe || position === 0) {
        const found = plain.length < LEAST_KEYED_BYTES ? undefined : findXorKey(plain)
        key = found && rotateKey(found, -position)
      }

      const ownKey = key && rotateKey(key, position)
      const source = ownKey ? withoutKey(plain, ownKey) : plain
      const start = offset + (ownKey ? XOR_KEY_BYTES : 0)
      const least = effort === 'auto' ? Math.floor(plain.length * WORTHWHILE_RATIO) : plain.length - 1
      const room = target.subarray(start, Math.max(start, offset + least))
      let length = compressWithin(room, source, level)
      if (isProbe && effort === 'auto') {
        const fast = level === FAST_LEVEL ? length : compressWithin(room, source, FAST_LEVEL)
        const better = compressWithin(room, source, BETTER_LEVEL)
        const betterPays = better > 0 && better < (fast || plain.length) * BETTER_RATIO
        level = betterPays ? BETTER_LEVEL : FAST_LEVEL
        length = betterPays ? better : compressWithin(room, source, FAST_LEVEL)
      }
      if (length === 0) return undefined
      if (!ownKey) return { codec: CODEC_ZSTD, length }
      target.set(ownKey, offset)
      return { codec: CODEC_XOR_ZSTD, length: length + XOR_KEY_BYTES }
    },
  }
}

/** Valid until the next call. */
function withoutKey(plain: Uint8Array, key: Uint8Array): Uint8Array {
  if (unkeyed.length < plain.length) unkeyed = new Uint8Array(plain.length)
  applyXorKey(plain, key, unkeyed)
  return unkeyed.subarray(0, plain.length)
}

/** Compresses `plain` to the start of `room`. Returns the frame's length, 0 where that does not fit. */
function compressWithin(room: Uint8Array, plain: Uint8Array, level: number): number {
  if (plain.length === 0) return 0
  context ??= new (zstd().CCtx)()
  try {
    return context.compress(room, plain, level)
  } catch (error) {
    if (error instanceof Error && error.message === TARGET_TOO_SMALL) return 0
    throw error
  }
}

/**
 * Opens what a compressor made into `target`, which must be exactly as long as the plaintext. Throws CORRUPT unless
 * `stored` is one frame, no less and no more, that fills the target exactly, behind a key where `codec` wants one. Never
 * writes beyond the target nor allocates by what the frame claims.
 */
export function openCompressed(codec: number, stored: Uint8Array, target: Uint8Array): void {
  if (codec !== CODEC_XOR_ZSTD) {
    decompressInto(stored, target)
    return
  }
  decompressInto(stored.subarray(XOR_KEY_BYTES), target)
  applyXorKey(target, stored.subarray(0, XOR_KEY_BYTES), target)
}

/**
 * Decompresses one zstd frame into `target`, which must be exactly as long as the plaintext. Throws CORRUPT unless
 * `stored` is one frame, no less and no more, that fills the target exactly. Never writes beyond the target nor
 * allocates by what the frame claims.
 */
export function decompressInto(stored: Uint8Array, target: Uint8Array): void {
  const { MAGICNUMBER, findFrameCompressedSize, getFrameContentSize, DCtx } = zstd()
  let length: number
  try {
    // zstd would take several frames, and skip those made to be skipped.
    const magic = bufferView(stored).readUInt32LE(0)
    if (magic !== MAGICNUMBER || findFrameCompressedSize(stored) !== stored.length)
      throw new Error('not a single frame')
    if (getFrameContentSize(stored) !== target.length) throw new Error('another length is declared')
    opener ??= new DCtx()
    length = opener.decompress(target, stored)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ChainkeepError('CORRUPT', `not the zstd frame of ${target.length} bytes: ${reason}`, {}, error)
  }
  if (length !== target.length)
    throw new ChainkeepError('CORRUPT', `a zstd frame of ${length} bytes, not ${target.length}`)
}

const FAST_LEVEL = -5
const BETTER_LEVEL = 1
/** Of the plain bytes, to be stored compressed at all. */
const WORTHWHILE_RATIO = 0.97
/** Of what the fast level leaves, for the better one to be used. */
const BETTER_RATIO = 0.9
/** How much of a stream the decisions hold for. */
const PROBE_BYTES = 4 * 2 ** 20
/** Files that are smaller than this are not block files. */
const LEAST_KEYED_BYTES = 4096
const TARGET_TOO_SMALL = 'Destination buffer is too small' // zstd's name of ZSTD_error_dstSize_tooSmall

const require: NodeJS.Require = createRequire(import.meta.url)
let addon: typeof Zstd | undefined
/** Shared by all of the thread's compressors: each use is a single call. Takes some 100 KB to some MB, by level. */
let context: Zstd.CCtx | undefined
/** The thread's: to make one for every frame takes a fifth of the time. */
let opener: Zstd.DCtx | undefined
let unkeyed = new Uint8Array(262_144)

/** Loads the addon when it is first called: that takes 6 ms, which a command that compresses nothing should not pay. */
function zstd(): typeof Zstd {
  addon ??= require('zstd-napi/binding.js') as typeof Zstd
  return addon
}
