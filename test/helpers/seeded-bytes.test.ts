import { expect, test } from 'vitest'
import { seededBytes, seededStream } from './seeded-bytes.ts'

test('the bytes depend on the seed alone and never change', () => {
  expect(seededBytes('a', 8).toString('hex')).toBe('b5bf9443c19d624f')
  expect(seededBytes('a', 1000)).toEqual(seededBytes('a', 2000).subarray(0, 1000))
  expect(seededBytes('a', 8)).not.toEqual(seededBytes('b', 8))
  expect(seededBytes(1, 8)).toEqual(seededBytes('1', 8))
})

test('a stream goes on where it was', () => {
  const next = seededStream('a')
  expect(Buffer.concat([next(5), next(0), next(100)])).toEqual(seededBytes('a', 105))
})
