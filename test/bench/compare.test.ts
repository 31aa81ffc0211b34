import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { renderTables } from '../../bench/compare/report.ts'
import { type Round, runRound, type Sample } from '../../bench/compare/run.ts'
import type { Scenario } from '../../bench/compare/scenarios.ts'
import type { Tool } from '../../bench/compare/tools.ts'
import { makeNodeData } from '../../bench/node/make.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

const SCENARIOS: readonly Scenario[] = [
  { name: 'first backup', verb: 'first' },
  { name: 'check', verb: 'check' },
  { name: 'restore', verb: 'restore', target: 'empty' },
  { name: 'restore over damage', verb: 'restore', target: 'damaged' },
]

const copier: Tool = {
  name: 'copier',
  version: ['true'],
  env: () => ({}),
  init: (repo) => [['mkdir', repo]],
  verbs: {
    first: ({ repo, source }) => [['cp', '-r', source, repo]],
    check: () => [['sh', '-c', 'echo the disk is sad >&2; exit 3']],
    restore: ({ repo, target }) => [['cp', '-r', join(repo, 'node'), target]],
  },
}
/** Restores only what is missing, and so leaves damage where it is. */
const lazy: Tool = {
  ...copier,
  name: 'lazy',
  verbs: { ...copier.verbs, restore: ({ repo, target }) => [['cp', '-rn', join(repo, 'node'), target]] },
}

const grown = (sample: Sample | undefined): number => (sample && 'growthBytes' in sample ? sample.growthBytes : -1)

describe('a round', () => {
  test('measures what works and tells what does not', async () => {
    await using tmp = await temporaryDirectory()
    const node = join(tmp.path, 'node')
    await makeNodeData(node, { seed: 1, bytes: 3e6 })
    const sources = { node, smallFiles: node }
    const { samples } = await runRound(join(tmp.path, 'round'), sources, [copier, lazy], SCENARIOS, () => {})

    expect(samples.get('first backup')?.get('copier')).toMatchObject({ wallSeconds: expect.any(Number) })
    expect(grown(samples.get('first backup')?.get('copier'))).toBeGreaterThan(16e6)
    expect(samples.get('check')?.get('copier')).toEqual({ failure: '3: the disk is sad' })
    expect(samples.get('restore')?.get('lazy')).toMatchObject({ growthBytes: 0 })
    expect(samples.get('restore over damage')?.get('copier')).toMatchObject({ growthBytes: 0 })
    expect(samples.get('restore over damage')?.get('lazy')).toMatchObject({
      failure: expect.stringContaining('not what was saved'),
    })
  })
})

describe('the report', () => {
  const scenarios = SCENARIOS.slice(0, 1)
  const tool = (name: string): Tool => ({ ...copier, name })
  const cost = (wallSeconds: number): Sample => ({
    wallSeconds,
    cpuSeconds: wallSeconds,
    peakBytes: 50e6,
    growthBytes: 1500,
  })
  const round = (ours: Sample, theirs: Sample): Round => ({
    samples: new Map([
      [
        'first backup',
        new Map([
          ['chainkeep', ours],
          ['other', theirs],
        ]),
      ],
    ]),
    hours: [{ blkBytes: 9e6, revBytes: 1e6 }],
  })

  test('gives medians, extremes and ratios', () => {
    const rounds = [round(cost(2), cost(4)), round(cost(9), cost(8)), round(cost(1), cost(5))]
    const text = renderTables(rounds, scenarios, [tool('chainkeep'), tool('other')])
    expect(text).toMatch(/\| first backup \| 2\.00 \(1\.00 to 9\.00\) +\| 5\.00 \(4\.00 to 8\.00\) +\| 0\.40 /)
    expect(text).toContain('0.002 (0.002 to 0.002)')
    expect(text).toContain('round 1: 10.0 MB')
  })

  test('hides no failure', () => {
    const rounds = [round(cost(2), cost(4)), round({ failure: '1: broken' }, cost(4))]
    const text = renderTables(rounds, scenarios, [tool('chainkeep'), tool('other')])
    expect(text).toMatch(/\| first backup \| failed 1 of 2 +\| 4\.00 \(4\.00 to 4\.00\) +\| – /)
    expect(text).toContain('- first backup, chainkeep: 1: broken')
  })
})
