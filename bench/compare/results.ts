import { medianOf } from '../report/statistics.ts'
import type { Round } from './round.ts'
import type { Series } from './series.ts'
import type { StartUp } from './start-up.ts'
import type { Sample } from './workplace.ts'

/** All that a run has found out, as it is kept in a file: tables, plots and goals are made of this alone. */
export interface Results {
  readonly command: string
  /** Lines about machine and day. */
  readonly machine: readonly string[]
  /** Of node data. */
  readonly bytes: number
  readonly smallFiles: number
  /** By id of the tool, in order of the columns. */
  readonly versions: Readonly<Record<string, string>>
  readonly rounds: readonly Round[]
  readonly series?: Series
  readonly startUp?: StartUp
}

export type FigureName = keyof typeof FIGURES

/** What every sample has. */
export const FIGURES = {
  wallSeconds: { title: 'Wall time, s', noun: 'time' },
  cpuSeconds: { title: 'CPU time (user + system), s', noun: 'CPU time' },
  peakBytes: { title: 'Peak memory (resident set), MB', noun: 'memory' },
  growthBytes: { title: 'Growth of the repository, MB', noun: 'growth' },
  repositoryBytes: { title: 'Size of the repository afterwards, MB', noun: 'repository' },
} as const

export const samplesOf = ({ rounds }: Results, scenario: string, tool: string): Sample[] =>
  rounds.flatMap(({ samples }) => samples[scenario]?.[tool] ?? [])

/** One of each sample; `undefined` if there is none, or if the tool failed once. */
export function valuesOf(samples: readonly Sample[], figure: FigureName): number[] | undefined {
  const values = samples.map((sample) => ('failure' in sample ? undefined : sample[figure]))
  return values.length > 0 && values.every((value) => value !== undefined) ? values : undefined
}

export function medianFigure(results: Results, scenario: string, tool: string, figure: FigureName): number | undefined {
  const values = valuesOf(samplesOf(results, scenario, tool), figure)
  return values && medianOf(values)
}
