import { expect, test } from 'vitest'
import { formatTime } from '../../src/base/local-time.ts'

test('times are local and sort as text', () => {
  expect(formatTime(new Date(2026, 10, 21, 7, 0, 5).getTime())).toBe('2026-11-21 07:00:05')
})
