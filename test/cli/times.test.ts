import { describe, expect, test } from 'vitest'
import { formatDuration, formatElapsed, isoTimeNs, parseTime } from '../../src/cli/times.ts'

describe('times', () => {
  test('keep their nanoseconds for programs, also before 1970', () => {
    expect(isoTimeNs(1_795_247_230_123_456_789n)).toBe('2026-11-21T07:47:10.123456789Z')
    expect(isoTimeNs(-1n)).toBe('1969-12-31T23:59:59.999999999Z')
    expect(isoTimeNs(0n)).toBe('1970-01-01T00:00:00.000000000Z')
  })

  test.each([
    ['now', 42],
    ['2026-11-21T07:00:00Z', Date.UTC(2026, 10, 21, 7)],
    ['2026-11-21T07:00:00+01:00', Date.UTC(2026, 10, 21, 6)],
    ['2026-11-21 07:00:00', new Date(2026, 10, 21, 7).getTime()],
    ['2026-11-21', new Date(2026, 10, 21).getTime()],
    ['2028-02-29T23:59:59Z', Date.UTC(2028, 1, 29, 23, 59, 59)],
    ['0099-12-31T00:00:00Z', Date.parse('0099-12-31T00:00:00Z')],
  ])('%s is understood', (text, timeMs) => expect(parseTime(text, 42)).toBe(timeMs))

  test.each([
    '',
    'yesterday',
    '2026-13-01',
    '2026-02-31',
    '2026-02-29 12:00',
    '2026-00-10',
    '2026-11-21 24:01',
    '21.11.2026',
    '1795247230',
  ])('%j is no time', (text) => expect(parseTime(text, 42)).toBeUndefined())

  test('durations', () => {
    expect(formatElapsed(7_000)).toBe('0:07')
    expect(formatElapsed(3_723_000)).toBe('1:02:03')
    expect(formatDuration(820)).toBe('0.8 s')
    expect(formatDuration(61_000)).toBe('1:01')
  })
})
