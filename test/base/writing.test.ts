import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WRITE_BYTES, writeGroups } from '../../src/base/writing.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

test('groups hold all bytes in order, each as much as one call takes', () => {
  const length = fc.oneof(fc.nat(20), fc.nat(3 * WRITE_BYTES))
  fc.assert(
    fc.property(fc.array(length, { maxLength: 30 }), (lengths) => {
      const parts = lengths.map((length) => seededBytes(length, length))
      const groups = [...writeGroups(parts)]
      expect(Buffer.concat(groups.flat()).equals(Buffer.concat(parts))).toBe(true)
      const sizes = groups.map((group) => group.reduce((sum, part) => sum + part.length, 0))
      for (const size of sizes.slice(0, -1)) expect(size).toBe(WRITE_BYTES)
      expect(sizes.at(-1) ?? WRITE_BYTES).toBeLessThanOrEqual(WRITE_BYTES)
      expect(groups.flat().every((part) => part.length > 0)).toBe(true)
    }),
  )
  const many = [...writeGroups(new Array(3000).fill(Buffer.from('a')))]
  expect(many.map((group) => group.length)).toEqual([1024, 1024, 952])
})
