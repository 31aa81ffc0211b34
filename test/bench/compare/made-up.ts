import type { Results } from '../../../bench/compare/results.ts'
import type { Round } from '../../../bench/compare/round.ts'
import type { Measured, Sample } from '../../../bench/compare/workplace.ts'

/** A measurement that took so many seconds; all else is unremarkable. */
export const cost = (wallSeconds: number, more: Partial<Measured> = {}): Measured => ({
  wallSeconds,
  cpuSeconds: wallSeconds,
  peakBytes: 50e6,
  growthBytes: 1500,
  repositoryBytes: 100e6,
  ...more,
})

/** By scenario and tool, one sample each. */
export const roundOf = (samples: Record<string, Record<string, Sample>>): Round => ({
  samples: Object.fromEntries(
    Object.entries(samples).map(([scenario, tools]) => [
      scenario,
      Object.fromEntries(Object.entries(tools).map(([tool, sample]) => [tool, [sample]])),
    ]),
  ),
  hours: { hour: { blkBytes: 9e6, revBytes: 1e6 } },
})

export const resultsOf = (rounds: Round[], more: Partial<Results> = {}): Results => ({
  command: 'npm run bench:compare',
  machine: ['- a machine'],
  bytes: 2 ** 31,
  smallFiles: 20_000,
  versions: { cp: 'cp 9', chainkeep: 'chainkeep 1', restic: 'restic 2', borg: 'borg 3', 'borg-plain': 'borg 3' },
  rounds,
  ...more,
})
