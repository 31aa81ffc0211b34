import { expect, test } from 'vitest'
import { race } from '../../../bench/micro/race.ts'
import { megabytesASecond, renderTable } from '../../../bench/micro/table.ts'

test('implementations take turns, and the best round counts', async () => {
  let clock = 0
  const turns: string[] = []
  const costs: Record<string, number[]> = { slow: [40, 25, 50], fast: [10, 20, 5] }
  const run = (name: string): number => {
    turns.push(name)
    clock += costs[name]!.shift()!
    return 1000
  }
  const rates = await race({ slow: 'slow', fast: 'fast' }, run, { rounds: 3, leastMs: 0, now: () => clock })
  expect(turns).toEqual(['slow', 'fast', 'slow', 'fast', 'slow', 'fast'])
  expect(rates).toEqual({ slow: 1000 / 0.025, fast: 1000 / 0.005 })
})

test('what is over soon is repeated for as long as was asked', async () => {
  let clock = 0
  let runs = 0
  const run = async (): Promise<number> => {
    clock += 4
    runs++
    return 1
  }
  expect(await race({ it: 0 }, run, { rounds: 2, leastMs: 10, now: () => clock })).toEqual({ it: 250 })
  expect(runs).toBe(6)
})

test('tables have a column for each implementation that any row names', () => {
  const rows = [
    { name: 'noise', cells: megabytesASecond({ kernel: 2_345_600_000 }) },
    { name: 'zeros', cells: { kernel: '7', other: '8' } },
  ]
  expect(renderTable({ title: 'Scan', note: 'MB/s.', rows }).split('\n')).toEqual([
    '## Scan',
    '',
    'MB/s.',
    '',
    '|       | kernel | other |',
    '|-------|--------|-------|',
    '| noise | 2 346  | –     |',
    '| zeros | 7      | 8     |',
  ])
})
