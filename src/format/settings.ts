import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import { sha3_256 } from '../native/hash.ts'
import { CborMap, cborMap, decodeCbor, encodeCbor } from './cbor.ts'
import { corrupt } from './object.ts'
import { MAX_PARITY_PERCENT } from './parity.ts'

/**
 * The file `settings`: FORMAT.md §14.
 *
 *     settings = "CKSETTNG" | u32 length | body (CBOR map) | SHA3-256 of everything before
 */
export interface Settings {
  /** How much parity writers write beside each pack: 0 to 100. */
  readonly parityPercent: number
}

const SIGNATURE = 'CKSETTNG'
const VERSION = 1
const CHECKSUM_BYTES = 32
/** Settings are some 60 bytes; nothing larger is read. */
export const MAX_SETTINGS_BYTES = 65_536

export function encodeSettings({ parityPercent }: Settings): Uint8Array {
  const body = encodeCbor(
    cborMap([
      ['version', VERSION],
      ['parity', parityPercent],
    ]),
  )
  const writer = new ByteWriter(SIGNATURE.length + 4 + body.length + CHECKSUM_BYTES)
  writer.ascii(SIGNATURE).u32(body.length).bytes(body)
  return writer.bytes(sha3_256(writer.written)).finish()
}

/** Strict inverse. Throws UNSUPPORTED for a newer version; TRUNCATED, BAD_FORMAT or CORRUPT for damage. */
export function decodeSettings(bytes: Uint8Array, file: string): Settings {
  const reader = new ByteReader(bytes, file)
  reader.signature(SIGNATURE, 'the settings of a repository')
  const body = reader.bytesView(reader.u32())
  const checksum = Buffer.from(reader.bytesView(CHECKSUM_BYTES))
  reader.end()
  if (!checksum.equals(sha3_256(bytes.subarray(0, bytes.length - CHECKSUM_BYTES))))
    throw corrupt(file, 0, 'settings with a wrong checksum', {})
  const map = new CborMap(decodeCbor(body, file), file)
  const version = map.integer('version')
  if (version !== VERSION)
    throw new ChainkeepError('UNSUPPORTED', `${file}: settings of version ${version}: use a newer chainkeep`, {
      version,
    })
  return { parityPercent: map.integer('parity', 0, MAX_PARITY_PERCENT) }
}
