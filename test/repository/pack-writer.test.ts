import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { objectIdAt } from '../../src/base/ids.ts'
import { openRecord, recordLength } from '../../src/format/object.ts'
import { PACK_HEADER_BYTES } from '../../src/format/pack.ts'
import { packLength, readPackTrailer } from '../../src/repository/pack-trailer.ts'
import { PackWriter } from '../../src/repository/pack-writer.ts'
import { memoryBackend } from '../helpers/memory-backend.ts'
import { sealAll } from '../helpers/sealed.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

describe('a finished pack', () => {
  test('holds what was added, in order, and says so itself', async () => {
    const anyPlains = fc.array(fc.uint8Array({ minLength: 1, maxLength: 100 }), { minLength: 1, maxLength: 4 })
    const anyObjects = fc.array(anyPlains, { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(anyObjects, fc.constantFrom('chunk' as const, 'list' as const), async (batches, kind) => {
        const packClass = kind === 'chunk' ? 'data' : 'meta'
        const writer = new PackWriter(packClass)
        for (const plains of batches) writer.add(sealAll(kind, plains))
        const pack = writer.finish()
        const bytes = Buffer.concat(pack.parts)
        expect([pack.packClass, pack.bytes, packLength(pack.entries)]).toEqual([packClass, bytes.length, bytes.length])

        const backend = memoryBackend()
        await backend.put(packClass, pack.id, pack.parts)
        const entries = await readPackTrailer(backend, packClass, pack.id)
        expect(entries).toEqual(pack.entries)
        const plains = entries.map((entry) => {
          const record = bytes.subarray(entry.offset, entry.offset + recordLength(entry))
          return Buffer.from(openRecord(record, kind, objectIdAt(entry.id), 'pack', entry.offset)).toString('hex')
        })
        expect(plains).toEqual(batches.flat().map((plain) => Buffer.from(plain).toString('hex')))
      }),
      { numRuns: 50 },
    )
  })

  test('never has the id of another, not even with the same objects', () => {
    const ids = Array.from({ length: 10 }, () => {
      const writer = new PackWriter('data')
      writer.add(sealAll('chunk', [Buffer.from('the same')]))
      return writer.finish().id
    })
    expect(new Set(ids).size).toBe(10)
  })

  test('takes over the bytes that were added, without a copy', () => {
    const writer = new PackWriter('data')
    const objects = sealAll('chunk', [seededBytes('bytes', 100)])
    writer.add(objects)
    expect(writer.finish().parts).toContain(objects.records)
  })
})

test('the size is that of the records so far', () => {
  const writer = new PackWriter('data')
  expect(writer.size).toBe(PACK_HEADER_BYTES)
  const objects = sealAll('chunk', [seededBytes('a', 10), seededBytes('b', 20)])
  writer.add(objects)
  expect(writer.size).toBe(PACK_HEADER_BYTES + objects.records.length)
})

test('records must be as long as their headers say', () => {
  const objects = sealAll('chunk', [seededBytes('a', 10)])
  for (const records of [objects.records.subarray(1), Buffer.concat([objects.records, Buffer.alloc(1)])])
    expect(() => new PackWriter('data').add({ ...objects, records })).toThrow(RangeError)
})
