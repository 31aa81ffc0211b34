import { describe, expect, test } from 'vitest'
import { formatProgress, statusMessage } from '../../src/cli/progress-bar.ts'
import { displayWidth } from '../../src/cli/table.ts'

const half = { phase: 'backing up', filesDone: 1200, totalFiles: 2000, bytesDone: 2 ** 30, totalBytes: 2 ** 31 }

describe('the progress line', () => {
  test('tells percent, bytes, files, rate and time to go', () => {
    expect(formatProgress(half, 10_000, 120)).toBe(
      '[0:10] backing up  50.0%  ETA 0:10  102 MiB/s  1.00 GiB / 2.00 GiB  1,200 / 2,000 files',
    )
  })

  test('tells no percent and no time to go without totals', () => {
    expect(formatProgress({ phase: 'scanning', filesDone: 3 }, 2_000, 120)).toBe('[0:02] scanning  3 files')
  })

  test('believes no total that is passed, and needs only one of the two', () => {
    expect(formatProgress({ ...half, bytesDone: 2 ** 32 }, 10_000, 120)).toBe(
      '[0:10] backing up  410 MiB/s  4.00 GiB  1,200 files',
    )
    const pruning = { phase: 'pruning', unit: 'packs', filesDone: 1, totalFiles: 4, bytesDone: 1024 } as const
    expect(formatProgress(pruning, 1_000, 120)).toBe(
      '[0:01] pruning  25.0%  ETA 0:03  1.00 KiB/s  1.00 KiB  1 / 4 packs',
    )
  })

  test('leaves out the files while there are none, and keeps the time to go at 80 columns', () => {
    const state = { ...half, filesDone: 0, totalFiles: 39, current: `/var/lib/litecoin/${'blocks/'.repeat(10)}` }
    const line = formatProgress(state, 10_000, 79)
    expect(line).toMatch(
      /^\[0:10\] backing up {2}50\.0% {2}ETA 0:10 {2}102 MiB\/s {2}1\.00 GiB \/ 2\.00 GiB {2}\/var.*…$/,
    )
  })

  test('counts errors and never is wider than the terminal', () => {
    const line = formatProgress({ ...half, errorCount: 2, current: '/データ/blocks/blk00012.dat' }, 10_000, 110)
    expect(line).toContain('2 errors')
    for (const columns of [20, 80, 107, 108]) {
      const narrow = formatProgress({ ...half, errorCount: 2, current: '/データ/blocks/blk00012.dat' }, 10_000, columns)
      expect(displayWidth(narrow)).toBeLessThanOrEqual(columns)
      expect(narrow.endsWith('…')).toBe(true)
    }
  })
})

test('the status message has the field names of restic', () => {
  expect(JSON.parse(JSON.stringify(statusMessage({ ...half, current: '/a' }, 10_000)))).toEqual({
    message_type: 'status',
    phase: 'backing up',
    seconds_elapsed: 10,
    seconds_remaining: 10,
    percent_done: 0.5,
    total_files: 2000,
    files_done: 1200,
    total_bytes: 2 ** 31,
    bytes_done: 2 ** 30,
    current_files: ['/a'],
  })
})
