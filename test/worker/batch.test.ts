import { expect, test } from 'vitest'
import { batchEnds } from '../../src/worker/batch.ts'

const MiB = 2 ** 20

test('ends of consecutive lengths', () => {
  expect([...batchEnds([5, 7, 1, 9], 1)]).toEqual([7, 8, 17])
})

test('up to 2 MiB, and one at least', () => {
  expect([...batchEnds([MiB, MiB, 1], 0)]).toEqual([MiB, 2 * MiB])
  expect([...batchEnds([MiB, MiB + 1], 0)]).toEqual([MiB])
  expect([...batchEnds([16 * MiB, 1], 0)]).toEqual([16 * MiB])
})

test('only those that belong together', () => {
  expect([...batchEnds([1, 1, 1, 1], 0, (i) => i < 3)]).toEqual([1, 2, 3])
  expect([...batchEnds([1, 1], 0, () => false)]).toEqual([1])
})
