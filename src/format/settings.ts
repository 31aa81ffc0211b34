import { CborMap, cborMap, decodeCbor, encodeCbor } from './cbor.ts'
import { decodeEnvelope, encodeEnvelope } from './envelope.ts'
import { MAX_PARITY_PERCENT } from './parity.ts'

/** The file `settings`, an envelope: FORMAT.md §14. */
export interface Settings {
  /** How much parity writers write beside each pack: 0 to 100. */
  readonly parityPercent: number
}

const SIGNATURE = 'CKSETTNG'
/** Settings are some 60 bytes; nothing larger is read. */
export const MAX_SETTINGS_BYTES = 65_536

export function encodeSettings({ parityPercent }: Settings): Uint8Array {
  const body = cborMap([
    ['version', 1],
    ['parity', parityPercent],
  ])
  return encodeEnvelope(SIGNATURE, encodeCbor(body))
}

/** Strict inverse. Throws UNSUPPORTED for a newer version; TRUNCATED, BAD_FORMAT or CORRUPT for damage. */
export function decodeSettings(bytes: Uint8Array, file: string): Settings {
  const map = new CborMap(decodeCbor(decodeEnvelope(SIGNATURE, bytes, file), file), file)
  map.requireVersion('settings')
  return { parityPercent: map.integer('parity', 0, MAX_PARITY_PERCENT) }
}
