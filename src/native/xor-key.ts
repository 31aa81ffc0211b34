import { kernel } from './kernel.ts'

/** Length in bytes of the key that block files are obfuscated with (Bitcoin Core 28's `blocks/xor.dat`). */
export const XOR_KEY_BYTES = 8

/**
 * Finds the key with which `bytes` seem to have been XOR-ed, over and over from their first byte on; undefined if they
 * seem to be plain. What nodes store has more zeros than anything else, and a zero shows the key: so the key is what is
 * most common at each of eight places, if these eight together are much more common than any one byte is everywhere.
 * Looks at 4 KB at most, spread over all of it. The key is valid until the next call.
 *
 * A wrong answer costs compression and nothing else, for a record says with which key it was made (FORMAT.md §3).
 */
export function findXorKey(bytes: Uint8Array): Uint8Array | undefined {
  const last = bytes.length - XOR_KEY_BYTES
  if (last < LEAST_SAMPLES * XOR_KEY_BYTES) return undefined
  const step = Math.max(1, Math.floor(last / MOST_SAMPLES / XOR_KEY_BYTES)) * XOR_KEY_BYTES
  counts.fill(0)
  let shown = 0
  for (let place = 0; place < XOR_KEY_BYTES; place++) {
    let most = 0
    let mostCommon = 0
    for (let at = place; at < last + XOR_KEY_BYTES; at += step) {
      const byte = bytes[at]!
      const count = ++counts[place * 256 + byte]!
      if (count <= most) continue
      most = count
      mostCommon = byte
    }
    shown += most
    key[place] = mostCommon
  }
  if (key.every((byte) => byte === key[0])) return undefined // a repeated byte hides nothing from a compressor
  const samples = (Math.floor(last / step) + 1) * XOR_KEY_BYTES
  return shown > samples * LEAST_SHARE && shown > mostCommonAnywhere() * LEAST_GAIN ? key : undefined
}

function mostCommonAnywhere(): number {
  let most = 0
  for (let byte = 0; byte < 256; byte++) {
    let count = 0
    for (let at = byte; at < counts.length; at += 256) count += counts[at]!
    if (count > most) most = count
  }
  return most
}

/**
 * XORs `bytes` with a key of eight bytes, over and over, which undoes itself, into the start of `target`, which may be
 * `bytes`, or must not overlap with them.
 */
export type ApplyXorKey = (bytes: Uint8Array, key: Uint8Array, target: Uint8Array) => void

/** By the kernel where there is one. */
export const applyXorKey: ApplyXorKey = (bytes, key, target) => {
  const apply = kernel()?.applyXorKey ?? applyXorKeyByWords
  apply(bytes, key, target)
}

/** Without the kernel. About 5 GB/s, since it works on words that lie where the processor likes them. */
export const applyXorKeyByWords: ApplyXorKey = (bytes, key, target) => {
  if (key.length !== XOR_KEY_BYTES) throw new RangeError(`a key of ${key.length} bytes`)
  if (target.length < bytes.length) throw new RangeError(`no room for ${bytes.length} bytes`)
  if (bytes.length > scratch.length) scratch = new Uint8Array(roundUp(bytes.length))
  scratch.set(bytes)
  const words = new Int32Array(scratch.buffer, 0, roundUp(bytes.length) / 4)
  const [even, odd] = new Int32Array(Uint8Array.from(key).buffer)
  for (let i = 0; i < words.length; i += 2) {
    words[i]! ^= even!
    words[i + 1]! ^= odd!
  }
  target.set(scratch.subarray(0, bytes.length))
}

/** The key as it lies `positions` further on, or back. The caller owns it. */
export const rotateKey = (key: Uint8Array, positions: number): Uint8Array =>
  key.map((_, i) => key[(((i + positions) % XOR_KEY_BYTES) + XOR_KEY_BYTES) % XOR_KEY_BYTES]!)

const roundUp = (length: number): number => Math.ceil(length / XOR_KEY_BYTES) * XOR_KEY_BYTES

const LEAST_SAMPLES = 64
const MOST_SAMPLES = 512
/** Of what one sees, zeros must be: twice what the most common bytes of noise are. */
const LEAST_SHARE = 0.025
/** So that text, whose spaces and vowels change place with its words, is left as it is. */
const LEAST_GAIN = 1.5

const counts = new Uint16Array(XOR_KEY_BYTES * 256)
const key = new Uint8Array(XOR_KEY_BYTES)
let scratch = new Uint8Array(262_144)
