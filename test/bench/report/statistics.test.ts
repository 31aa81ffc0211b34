import { describe, expect, test } from 'vitest'
import { fitLine, medianOf, runningSums, spreadOf } from '../../../bench/report/statistics.ts'

describe('spreads', () => {
  test('have the middle value, or the mean of both in the middle', () => {
    expect(spreadOf([9, 1, 2])).toEqual({ median: 2, min: 1, max: 9 })
    expect(spreadOf([10, 9, 1, 2])).toEqual({ median: 5.5, min: 1, max: 10 })
    expect(medianOf([7])).toBe(7)
  })

  test('are not made of nothing', () => {
    expect(() => spreadOf([])).toThrow(RangeError)
  })

  test('leave the values in their order', () => {
    const values = [3, 1, 2]
    spreadOf(values)
    expect(values).toEqual([3, 1, 2])
  })
})

test('running sums', () => {
  expect(runningSums([1, 2, 4])).toEqual([1, 3, 7])
})

describe('a line of least squares', () => {
  test('goes through points that are on one', () => {
    const line = fitLine([1, 2, 5].map((x) => [x, 3 * x - 2] as const))
    expect(line.slope).toBeCloseTo(3)
    expect(line.intercept).toBeCloseTo(-2)
    expect(line.fit).toBeCloseTo(1)
  })

  test('says how well it fits', () => {
    // By hand: means 2 and 2, slope 1/2, intercept 1; 1.5 of 2 are not explained.
    const line = fitLine([
      [1, 1],
      [2, 3],
      [3, 2],
    ])
    expect(line.slope).toBeCloseTo(0.5)
    expect(line.intercept).toBeCloseTo(1)
    expect(line.fit).toBeCloseTo(0.25)
  })

  test('is level where nothing changes, and wants two different points', () => {
    expect(
      fitLine([
        [1, 4],
        [2, 4],
      ]),
    ).toEqual({ slope: 0, intercept: 4, fit: 1 })
    expect(() =>
      fitLine([
        [1, 4],
        [1, 5],
      ]),
    ).toThrow(RangeError)
  })
})
