import { createHash } from 'node:crypto'
import { ID_BYTES, type ObjectId, objectIdAt } from '../../src/base/ids.ts'
import { SEGMENT_BYTES } from '../../src/chunker/fastcdc.ts'
import { openRecord, recordLength } from '../../src/format/object.ts'
import type { CutParameters } from '../../src/native/scan.ts'
import type { CutQuestion } from '../../src/worker/cut.ts'
import type { Ask } from '../../src/worker/tasks.ts'
import { splitBytes } from './split.ts'

/** Answers what a cut task asks, as a write session would, and keeps the chunks it is given, opened, in memory. */
export interface ChunkStore {
  readonly answer: Ask
  /** Every chunk that was stored. A second time is an error. */
  readonly chunks: ReadonlyMap<ObjectId, Buffer>
  /** How many chunks were asked about, one number for each question. */
  readonly claims: readonly number[]
}

export function chunkStore(wants: (id: ObjectId) => boolean = () => true): ChunkStore {
  const chunks = new Map<ObjectId, Buffer>()
  const claimed = new Set<ObjectId>()
  const claims: number[] = []
  const answer: Ask = async (content) => {
    const question = content as CutQuestion
    const ids = splitIds(question.ids)
    if (question.type === 'claim') {
      claims.push(ids.length)
      return Uint8Array.from(ids, (id) => (wants(id) && !claimed.has(id) && claimed.add(id) ? 1 : 0))
    }
    let offset = 0
    for (const [i, header] of question.headers.entries()) {
      const id = ids[i]!
      if (chunks.has(id) || !claimed.has(id)) throw new Error(`chunk ${id} was stored without being wanted`)
      const record = question.records.subarray(offset, offset + recordLength(header))
      chunks.set(id, Buffer.from(openRecord(record, 'chunk', id, 'store', offset)))
      offset += record.length
    }
    if (offset !== question.records.length) throw new Error('bytes after the last record')
    return undefined
  }
  return { answer, chunks, claims }
}

export interface ChunkList {
  readonly ids: readonly ObjectId[]
  readonly lengths: readonly number[]
}

/** The chunks that `bytes` must have, by the plainest means. */
export function expectedChunks(bytes: Uint8Array, parameters: CutParameters): ChunkList {
  const ids: ObjectId[] = []
  const lengths: number[] = []
  for (let at = 0; at < bytes.length; at += SEGMENT_BYTES) {
    const segment = bytes.subarray(at, at + SEGMENT_BYTES)
    let start = 0
    for (const end of splitBytes(segment, parameters)) {
      ids.push(objectIdAt(createHash('sha3-256').update(segment.subarray(start, end)).digest()))
      lengths.push(end - start)
      start = end
    }
  }
  return { ids, lengths }
}

/** Packed ids, one by one. */
export function splitIds(ids: Uint8Array): ObjectId[] {
  return Array.from({ length: ids.length / ID_BYTES }, (_, i) => objectIdAt(ids, i * ID_BYTES))
}
