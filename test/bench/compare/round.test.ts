import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runRound } from '../../../bench/compare/round.ts'
import type { Scenario } from '../../../bench/compare/scenarios.ts'
import { runSeries } from '../../../bench/compare/series.ts'
import type { Tool } from '../../../bench/compare/tools.ts'
import type { Sample } from '../../../bench/compare/workplace.ts'
import { makeNodeData } from '../../../bench/node/make.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const SCENARIOS: readonly Scenario[] = [
  { id: 'first', name: 'first backup', verb: 'first' },
  { id: 'again', name: 'again', verb: 'again', times: 3 },
  { id: 'check', name: 'check', verb: 'check' },
  { id: 'restore', name: 'restore', verb: 'restore', target: 'empty' },
  { id: 'damaged', name: 'restore over damage', verb: 'restore', target: 'damaged' },
  { id: 'prune', name: 'prune', verb: 'prune', savedHours: 1 },
]

/** Keeps a copy for each backup. */
const copier: Tool = {
  id: 'copier',
  name: 'copier',
  version: ['true'],
  env: () => ({}),
  init: (repo) => [['mkdir', repo]],
  verbs: {
    first: ({ repo, source }) => [['cp', '-r', source, join(repo, '1')]],
    again: ({ repo, source, backups }) => [['cp', '-r', source, join(repo, `${backups}`)]],
    check: () => [['sh', '-c', 'echo the disk is sad >&2; exit 3']],
    restore: ({ repo, target, backups }) => [['cp', '-rT', join(repo, `${backups}`), join(target, 'node')]],
    prune: ({ repo, keep }) => [
      ['sh', '-c', 'cd "$1"; ls | sort -n | head -n -$2 | xargs rm -r', '-', repo, `${keep}`],
    ],
  },
  snapshots: (repo) => ['ls', repo],
}
/** Backs up once, restores only what is missing, so leaves damage where it is, and spares what it should drop. */
const lazy: Tool = {
  ...copier,
  id: 'lazy',
  name: 'lazy',
  verbs: {
    first: copier.verbs.first!,
    again: () => [['true']],
    restore: ({ repo, target }) => [
      ['sh', '-c', '[ -e "$2" ] || cp -r "$1" "$2"', '-', join(repo, '1'), join(target, 'node')],
    ],
    prune: () => [['true']],
  },
}

const grown = (sample: Sample | undefined): number => (sample && 'growthBytes' in sample ? sample.growthBytes : -1)

describe('a round', () => {
  test('measures what works and tells what does not', async () => {
    await using tmp = await temporaryDirectory()
    const node = join(tmp.path, 'node')
    await makeNodeData(node, { seed: 1, bytes: 3e6 })
    const sources = { node, smallFiles: node }
    const reported: string[] = []
    const report = (line: string): void => void reported.push(line)
    const { samples } = await runRound(join(tmp.path, 'round'), sources, [copier, lazy], SCENARIOS, report)

    expect(samples.first?.copier).toMatchObject([{ wallSeconds: expect.any(Number) }])
    expect(grown(samples.first?.copier?.[0])).toBeGreaterThan(16e6)
    expect(samples.again?.copier).toHaveLength(3)
    expect(samples.check?.lazy).toBeUndefined()
    expect(samples.check?.copier).toEqual([{ failure: '3: the disk is sad' }])
    expect(samples.restore?.lazy).toMatchObject([{ growthBytes: 0 }])
    expect(samples.damaged?.copier).toMatchObject([{ growthBytes: 0 }])
    expect(samples.damaged?.lazy).toMatchObject([{ failure: expect.stringContaining('not what was saved') }])
    // Four backups, one in the hour that was saved, and one more to have an even number.
    expect(grown(samples.prune?.copier?.[0])).toBeLessThan(-3 * 16e6)
    expect(samples.prune?.lazy).toEqual([{ failure: 'of 1 snapshots 1 are left, not half' }])
    expect(reported).toContainEqual(expect.stringMatching(/^check, copier: failed/))
  })
})

describe('a series', () => {
  test('has a first backup and one for each hour', async () => {
    await using tmp = await temporaryDirectory()
    const node = join(tmp.path, 'node')
    await makeNodeData(node, { seed: 1, bytes: 3e6 })
    const { hours, backups } = await runSeries(join(tmp.path, 'series'), node, [copier], 2, () => {})
    expect(hours).toHaveLength(2)
    expect(hours[0]!.blkBytes).toBeGreaterThan(6e6)
    expect(Object.keys(backups)).toEqual(['copier'])
    const sizes = backups.copier!.map((sample) => ('failure' in sample ? 0 : sample.repositoryBytes))
    expect(sizes).toHaveLength(3)
    expect(sizes[2]! - sizes[1]!).toBe(grown(backups.copier![2]))
  })
})
