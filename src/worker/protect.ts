import type { PackName } from '../format/pack.ts'
import { encodeParity } from '../format/parity.ts'
import { requireSoundPack } from './sound-pack.ts'
import type { Tools } from './tools.ts'

/** Computes the parity of a pack. */
export interface ProtectTask extends PackName {
  /** The whole pack. */
  readonly bytes: Uint8Array
  readonly percent: number
  /** Fail unless every object in it is sound. */
  readonly verify: boolean
}

export interface ProtectResult {
  /** The file of parity. */
  readonly parts: readonly Uint8Array[]
}

export async function runProtect(
  { bytes, packClass, id, percent, verify }: ProtectTask,
  tools: Tools,
): Promise<ProtectResult> {
  if (verify) requireSoundPack(bytes, { packClass, id }, tools)
  return { parts: encodeParity(bytes, { packClass, id, percent }) }
}
