import { expect, test } from 'vitest'
import { KIND_CODES, type ObjectKind } from '../../src/format/object.ts'
import { countObjects, kindCodeAt, objectAt, packObjects, plainLengthAt } from '../../src/worker/packed-objects.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const objects = (Object.keys(KIND_CODES) as ObjectKind[]).map((kind, i) => ({
  kind,
  codec: i,
  storedLength: 2 ** 32 - 1 - i,
  plainLength: 10 + i,
  offset: 2 ** 40 + i,
  id: seededBytes(i, 32),
}))

test('what was packed is there, also after the way to another thread', () => {
  for (const packed of [packObjects(objects), structuredClone(packObjects(objects))]) {
    expect(countObjects(packed)).toBe(5)
    for (const [i, { id, ...object }] of objects.entries()) {
      const { id: idThere, ...there } = objectAt(packed, i)
      expect(there).toEqual(object)
      expect(id.equals(idThere)).toBe(true)
      expect([kindCodeAt(packed, i), plainLengthAt(packed, i)]).toEqual([KIND_CODES[object.kind], object.plainLength])
    }
  }
  expect(countObjects(packObjects([]))).toBe(0)
})

test('a kind that there is not', () => {
  const packed = packObjects(objects.slice(0, 1))
  packed.fields[0] = 9
  expect(() => objectAt(packed, 0)).toThrow(RangeError)
})
