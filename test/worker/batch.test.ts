import { expect, test } from 'vitest'
import { batchEnds } from '../../src/worker/batch.ts'

const MiB = 2 ** 20

test('ends of consecutive lengths', () => {
  expect([...batchEnds([5, 7, 1, 9], 1)]).toEqual([7, 8, 17])
})

test('up to 4 MiB, and one at least', () => {
  expect([...batchEnds([2 * MiB, 2 * MiB], 0)]).toEqual([2 * MiB, 4 * MiB])
  expect([...batchEnds([2 * MiB, 2 * MiB + 1], 0)]).toEqual([2 * MiB])
  expect([...batchEnds([16 * MiB, 1], 0)]).toEqual([16 * MiB])
})

test('batches are alike in length', () => {
  const lengths = Array.from({ length: 90 }, (_, i) => 50_000 + ((i * 7919) % 100_000))
  const batches: number[] = []
  for (let first = 0; first < lengths.length; ) {
    const ends = batchEnds(lengths, first)
    batches.push(ends.at(-1)!)
    first += ends.length
  }
  expect(batches.reduce((sum, bytes) => sum + bytes)).toBe(lengths.reduce((sum, bytes) => sum + bytes))
  expect(batches).toHaveLength(3)
  expect(Math.max(...batches)).toBeLessThanOrEqual(4 * MiB)
  expect(Math.min(...batches)).toBeGreaterThan(2.7 * MiB)
})

test('only those that belong together', () => {
  expect([...batchEnds([1, 1, 1, 1], 0, (i) => i < 3)]).toEqual([1, 2, 3])
  expect([...batchEnds([1, 1], 0, () => false)]).toEqual([1])
})
