import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OrdinalSet } from '../../src/repository/ordinal-set.ts'

test('holds what was added, also beyond the limit it was made for', () => {
  fc.assert(
    fc.property(fc.nat(100), fc.array(fc.nat(1000)), (limit, ordinals) => {
      const set = new OrdinalSet(limit)
      const model = new Set<number>()
      for (const ordinal of ordinals) {
        expect(set.add(ordinal)).toBe(!model.has(ordinal))
        model.add(ordinal)
      }
      expect(set.size).toBe(model.size)
      for (let ordinal = 0; ordinal <= 1001; ordinal++) expect(set.has(ordinal)).toBe(model.has(ordinal))
    }),
  )
})
