import { createCipheriv, createHash } from 'node:crypto'

/** A number from 0 to `sides - 1`. */
export type Dice = (sides: number) => number

/** Dice that fall the same way for the same seed: mulberry32, by Tommy Ettinger, in the public domain. */
export function makeDice(seed: number): Dice {
  let state = seed | 0
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * sides)
  }
}

/** A well-mixed u32 of two: the finalizer of MurmurHash3, by Austin Appleby, in the public domain. */
export function mix32(a: number, b: number): number {
  let mixed = Math.imul(a, 0x9e3779b1) ^ b
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** `length` bytes that nothing compresses and nothing else repeats: the AES-128-CTR keystream of (seed, name). */
export function randomBytes(seed: number, name: string, length: number): Buffer {
  const digest = createHash('sha256').update(`${seed}/${name}`).digest()
  const cipher = createCipheriv('aes-128-ctr', digest.subarray(0, 16), digest.subarray(16))
  return cipher.update(zeros(length))
}

/** A view of that many zero bytes. */
export function zeros(length: number): Uint8Array {
  return length <= ZEROS.length ? ZEROS.subarray(0, length) : new Uint8Array(length)
}

const ZEROS = new Uint8Array(4 << 20)
