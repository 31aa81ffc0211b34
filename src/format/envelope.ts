import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import { sha3_256 } from '../native/hash.ts'

/**
 * What a file that is one map is wrapped in: FORMAT.md §2, §9, §14.
 *
 *     file = signature (8) | u32 length | body (CBOR map) | SHA3-256 of everything before
 */
export function encodeEnvelope(signature: string, body: Uint8Array): Uint8Array {
  const writer = new ByteWriter(signature.length + 4 + body.length + CHECKSUM_BYTES)
  writer.ascii(signature).u32(body.length).bytes(body)
  return writer.bytes(sha3_256(writer.written)).finish()
}

/** A view of the body. Throws TRUNCATED, BAD_FORMAT or CORRUPT. */
export function decodeEnvelope(signature: string, bytes: Uint8Array, file: string): Uint8Array {
  const reader = new ByteReader(bytes, file)
  if (!hasSignature(signature, bytes)) reader.fail(`not the signature ${signature}`, 0)
  reader.bytesView(signature.length)
  const body = reader.bytesView(reader.u32())
  const checksum = Buffer.from(reader.bytesView(CHECKSUM_BYTES))
  reader.end()
  if (!checksum.equals(sha3_256(bytes.subarray(0, bytes.length - CHECKSUM_BYTES))))
    throw new ChainkeepError('CORRUPT', `${file}: its checksum does not fit`, { file, offset: 0 })
  return body
}

export function hasSignature(signature: string, bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, signature.length)).toString('latin1') === signature
}

const CHECKSUM_BYTES = 32
