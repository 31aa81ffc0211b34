import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, parseDuration, timeBefore } from '../../src/maintain/duration.ts'

test.each([
  ['7d', { years: 0, months: 0, days: 7, hours: 0 }],
  ['1y6m7d12h', { years: 1, months: 6, days: 7, hours: 12 }],
  ['0h', { years: 0, months: 0, days: 0, hours: 0 }],
])('reads %s', (text, duration) => {
  expect(parseDuration(text)).toEqual(duration)
  expect(formatDuration(duration)).toBe(text)
})

test('reads 0 without a unit', () => {
  expect(parseDuration('0')).toEqual(parseDuration('0h'))
})

test.each(['', '7', '00', 'd', '7w', '7d1y', '-1d', '1.5d', '1d ', '1d2d'])('refuses "%s"', (text) => {
  expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
})

test('what is written is read as the same', () => {
  const part = fc.nat(999_999)
  fc.assert(
    fc.property(fc.record({ years: part, months: part, days: part, hours: part }), (duration) => {
      expect(parseDuration(formatDuration(duration))).toEqual(duration)
    }),
  )
})

test('what no calendar reaches is before all times', () => {
  expect(timeBefore(Date.now(), parseDuration('999999y'))).toBe(Number.NEGATIVE_INFINITY)
})

test.each([
  ['2026-03-15T12:00:00Z', '7d', '2026-03-08T12:00:00Z'],
  ['2026-03-15T12:00:00Z', '1y2m', '2025-01-15T12:00:00Z'],
  ['2026-03-01T00:30:00Z', '1h', '2026-02-28T23:30:00Z'],
  ['2026-03-31T00:00:00Z', '1m', '2026-03-03T00:00:00Z'], // as Go's AddDate: the 31st of February
  ['2024-02-29T00:00:00Z', '1y', '2023-03-01T00:00:00Z'],
])('%s less %s is %s', (from, duration, to) => {
  expect(timeBefore(Date.parse(from), parseDuration(duration))).toBe(Date.parse(to))
})
