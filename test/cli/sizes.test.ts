import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatCount, formatRatio, formatSize, parsePercent, parseSize } from '../../src/cli/sizes.ts'

describe('sizes', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [1536, '1.50 KiB'],
    [10_240, '10.0 KiB'],
    [1_023_500, '1000 KiB'],
    [1_048_575, '1.00 MiB'],
    [123 * 2 ** 20, '123 MiB'],
    [2.25 * 2 ** 30, '2.25 GiB'],
    [5 * 2 ** 50, '5.00 PiB'],
  ])('%i is written as %s', (bytes, text) => expect(formatSize(bytes)).toBe(text))

  test.each([
    ['4096', 4096],
    ['64K', 65_536],
    ['16m', 16 * 2 ** 20],
    ['2G', 2 * 2 ** 30],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['3 TB', 3 * 2 ** 40],
  ])('%s is read as %i', (text, bytes) => expect(parseSize(text)).toBe(bytes))

  test.each(['', '-1', 'K', '1X', '64 K B', '1e3', '99999999P'])('%j is no size', (text) =>
    expect(parseSize(text)).toBeUndefined(),
  )

  test('what is written is within half a percent when read again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 52 }), (bytes) => {
        expect(Math.abs(parseSize(formatSize(bytes))! - bytes)).toBeLessThanOrEqual(bytes * 0.005)
      }),
    )
  })

  test('percents are shares', () => {
    expect(parsePercent('5%')).toBe(0.05)
    expect(parsePercent('0.5%')).toBe(0.005)
    for (const text of ['5', '101%', '%', '-1%', 'x%']) expect(parsePercent(text)).toBeUndefined()
  })

  test('counts and ratios', () => {
    expect(formatCount(1_234_567)).toBe('1,234,567')
    expect(formatRatio(100, 250)).toBe('2.50x')
    expect(formatRatio(0, 250)).toBe('-')
  })
})
