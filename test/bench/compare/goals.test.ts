import { describe, expect, test } from 'vitest'
import { type Goal, judgeGoals } from '../../../bench/compare/goals.ts'
import type { Results } from '../../../bench/compare/results.ts'
import { cost, resultsOf, roundOf } from './made-up.ts'

const find = (results: Results, name: string, wanted: string): Goal | undefined =>
  judgeGoals(results).find((goal) => goal.name === name && goal.wanted.includes(wanted))

describe('goals', () => {
  test('hold medians beside others', () => {
    const results = resultsOf([
      roundOf({ first: { cp: cost(1), chainkeep: cost(1.9), restic: cost(12) } }),
      roundOf({ first: { cp: cost(1), chainkeep: cost(2), restic: cost(13) } }),
      roundOf({ first: { cp: cost(1), chainkeep: cost(3), restic: cost(11) } }),
    ])
    expect(find(results, 'first backup', 'as fast as restic')).toMatchObject({ reached: '6.00 ×', met: true })
    expect(find(results, 'first backup', 'that of cp')).toMatchObject({ reached: '2.00 ×', met: true })
  })

  test('are not met a little below', () => {
    const results = resultsOf([roundOf({ first: { cp: cost(1), chainkeep: cost(2.01), restic: cost(12) } })])
    expect(find(results, 'first backup', 'as fast as restic')).toMatchObject({ reached: '5.97 ×', met: false })
    expect(find(results, 'first backup', 'that of cp')).toMatchObject({ reached: '2.01 ×', met: false })
  })

  test('take the better of both borgs', () => {
    const check = { chainkeep: cost(1), borg: cost(12), 'borg-plain': cost(7) }
    const results = resultsOf([roundOf({ 'check-data': check })])
    expect(find(results, 'check of all data', 'as fast as borg')).toMatchObject({ reached: '7.00 ×', met: false })
  })

  test('know the tool without kernel', () => {
    const check = { 'chainkeep-no-kernel': cost(4), chainkeep: cost(1), restic: cost(9) }
    const results = resultsOf([roundOf({ 'check-data': check })])
    const name = 'check of all data, chainkeep without kernel'
    expect(find(results, name, 'restic')).toMatchObject({ reached: '2.25 ×', met: true })
  })

  test('hold growth beside what was new, and memory beside its limit, over all rows and hours', () => {
    const rounds = [roundOf({ hour: { chainkeep: cost(1, { growthBytes: 11.5e6, peakBytes: 399e6 }) } })]
    expect(find(resultsOf(rounds), 'one hour later', 'truly new')).toMatchObject({ reached: '1.15 ×', met: false })
    expect(find(resultsOf(rounds), 'memory', '400 MB')).toMatchObject({ reached: '399 MB', met: true })
    const series = { hours: [], backups: { chainkeep: [cost(1, { peakBytes: 401e6 })] } }
    expect(find(resultsOf(rounds, { series }), 'memory', '400 MB')).toMatchObject({ reached: '401 MB', met: false })
  })

  test('hold the start beside that of node', () => {
    const startUp = { 'node -e 0': [0.04, 0.05, 0.9], chainkeep: [0.08, 0.1, 0.2] }
    expect(find(resultsOf([], { startUp }), 'start', '60 ms')).toMatchObject({ reached: '50.0 ms', met: true })
  })

  test('are left open where nothing was measured, or somebody failed', () => {
    expect(judgeGoals(resultsOf([])).filter(({ met }) => met !== undefined)).toEqual([])
    const results = resultsOf([roundOf({ first: { chainkeep: cost(1), restic: { failure: '1: broken' } } })])
    expect(find(results, 'first backup', 'as fast as restic')?.met).toBeUndefined()
  })
})
