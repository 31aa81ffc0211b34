import type { ObjectKind } from '../../src/format/object.ts'
import { hashObject, RECORD_HEADER_BYTES, recordLength, sealObject } from '../../src/format/object.ts'
import { createCompressor } from '../../src/native/compress.ts'
import type { SealedObjects } from '../../src/repository/pack-writer.ts'

const compressor = createCompressor(3)

/** Objects of one kind, ready for a pack. */
export function sealAll(kind: ObjectKind, plains: readonly Uint8Array[]): SealedObjects {
  const ids = plains.map((plain) => hashObject(kind, plain))
  const sealed = plains.map((plain, i) => {
    const target = Buffer.alloc(RECORD_HEADER_BYTES + plain.length)
    const header = sealObject(kind, ids[i]!, plain, compressor, target, 0)
    return { header, record: target.subarray(0, recordLength(header)) }
  })
  return {
    ids: Buffer.concat(ids),
    headers: sealed.map(({ header }) => header),
    records: Buffer.concat(sealed.map(({ record }) => record)),
  }
}
