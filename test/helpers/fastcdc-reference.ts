import { createHash } from 'node:crypto'
import { MASKS } from '../../src/native/gear.ts'
import type { CutParameters } from '../../src/native/scan.ts'

/** The gear table as fastcdc-rs derives it. */
export const GEAR: readonly bigint[] = Array.from({ length: 256 }, (_, byte) =>
  createHash('md5').update(Buffer.alloc(64, byte)).digest().readBigUInt64BE(),
)

export interface ReferenceCut {
  readonly length: number
  readonly hash: bigint
}

/** fastcdc-rs `src/v2020/mod.rs`, transcribed: two bytes a turn, 64-bit hashes. `seed` as `with_level_and_seed`. Slow. */
export function referenceCuts(bytes: Uint8Array, parameters: CutParameters, seed = 0n): ReferenceCut[] {
  const gear = GEAR.map((value) => value ^ seed)
  const gearShifted = GEAR.map((value) => u64((value << 1n) ^ u64(seed << 1n)))
  const cuts: ReferenceCut[] = []
  for (let at = 0; at < bytes.length; at += cuts.at(-1)!.length)
    cuts.push(cutGear(bytes.subarray(at), parameters, gear, gearShifted))
  return cuts
}

function cutGear(
  source: Uint8Array,
  { minBytes, averageBytes, maxBytes, level }: CutParameters,
  gear: readonly bigint[],
  gearShifted: readonly bigint[],
): ReferenceCut {
  let remaining = source.length
  if (remaining <= minBytes) return { length: remaining, hash: 0n }
  let centre = averageBytes
  if (remaining > maxBytes) remaining = maxBytes
  else if (remaining < centre) centre = remaining
  const bits = Math.round(Math.log2(averageBytes))
  let hash = 0n
  for (let index = Math.floor(minBytes / 2); index < Math.floor(remaining / 2); index++) {
    const mask = BigInt(MASKS[index < Math.floor(centre / 2) ? bits + level : bits - level]!)
    const at = index * 2
    hash = u64((hash << 2n) + gearShifted[source[at]!]!)
    if ((hash & (mask << 1n)) === 0n) return { length: at, hash }
    hash = u64(hash + gear[source[at + 1]!]!)
    if ((hash & mask) === 0n) return { length: at + 1, hash }
  }
  return { length: remaining, hash }
}

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value)
