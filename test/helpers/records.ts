import { createHash } from 'node:crypto'
import { RECORD_HEADER_BYTES, recordLength, sealObject } from '../../src/format/object.ts'
import { createCompressor } from '../../src/native/compress.ts'
import { type PackedObject, packObjects } from '../../src/worker/packed-objects.ts'
import type { VerifyTask } from '../../src/worker/verify.ts'

/** Part of a pack that holds these chunks, as a task gets it: from some offset on; and what `objects` says, one by one. */
export function packOf(chunks: readonly Uint8Array[]): VerifyTask & { readonly list: readonly PackedObject[] } {
  const compressor = createCompressor('auto')
  const offset = 5000
  const records: Uint8Array[] = []
  const list: PackedObject[] = []
  let at = offset
  for (const chunk of chunks) {
    const id = createHash('sha3-256').update(chunk).digest()
    const target = Buffer.alloc(RECORD_HEADER_BYTES + chunk.length)
    const header = sealObject('chunk', id, chunk, compressor, target, 0)
    list.push({ ...header, id, offset: at })
    records.push(target.subarray(0, recordLength(header)))
    at += recordLength(header)
  }
  return { bytes: Buffer.concat(records), file: 'data/some-pack', offset, objects: packObjects(list), list }
}
