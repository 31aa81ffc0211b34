import { markdownTable } from '../report/markdown.ts'
import { spreadOf, sumOf } from '../report/statistics.ts'
import { threeDigits } from '../report/units.ts'
import { judgeGoals } from './goals.ts'
import { FIGURES, type FigureName, medianFigure, type Results, samplesOf, valuesOf } from './results.ts'
import { SCENARIOS } from './scenarios.ts'
import { TOOLS } from './tools.ts'
import type { Sample } from './workplace.ts'

const OURS = 'chainkeep'
const NONE = '–'
/** Rows in which the repository grows or shrinks. */
const CHANGING = ['first', 'unchanged', 'hour', 'prune', 'small-first', 'small-unchanged']

export function renderGoals(results: Results): string {
  const rows = judgeGoals(results).map(({ name, wanted, reached, met }) => [
    name,
    wanted,
    reached ?? 'not measured',
    met === undefined ? '' : met ? 'yes' : '**no**',
  ])
  return markdownTable([['', 'goal', 'reached', 'met'], ...rows])
}

/** Medians with extremes of each figure, and how many times ours the others' times are. */
export function renderFigures(results: Results): string {
  return [
    section('wallSeconds', figureTable(results, 'wallSeconds'), ratioTable(results, 'wallSeconds')),
    section('cpuSeconds', figureTable(results, 'cpuSeconds'), ratioTable(results, 'cpuSeconds')),
    section('peakBytes', figureTable(results, 'peakBytes')),
    section('growthBytes', figureTable(results, 'growthBytes', CHANGING)),
    section('repositoryBytes', figureTable(results, 'repositoryBytes', CHANGING)),
  ].join('\n\n')
}

const section = (figure: FigureName, table: string, ratios?: string): string =>
  [`## ${FIGURES[figure].title}`, table, ...(ratios ? ['As multiples of chainkeep’s:', ratios] : [])].join('\n\n')

function figureTable(results: Results, figure: FigureName, scenarios?: readonly string[]): string {
  const tools = Object.keys(results.versions)
  const rows = rowsOf(results, scenarios).map(({ id, name }) => [
    name,
    ...tools.map((tool) => cell(samplesOf(results, id, tool), figure)),
  ])
  return markdownTable([['', ...tools.map(nameOf)], ...rows])
}

function ratioTable(results: Results, figure: FigureName): string | undefined {
  const others = Object.keys(results.versions).filter((tool) => tool !== OURS)
  const rows = rowsOf(results).map(({ id, name }) => {
    const ours = medianFigure(results, id, OURS, figure)
    const ratios = others.map((tool) => {
      const theirs = medianFigure(results, id, tool, figure)
      return ours && theirs ? threeDigits(theirs / ours) : NONE
    })
    return [name, ...ratios]
  })
  return others.length < Object.keys(results.versions).length
    ? markdownTable([['', ...others.map(nameOf)], ...rows])
    : undefined
}

/** Those that were run. */
const rowsOf = ({ rounds }: Results, scenarios?: readonly string[]): typeof SCENARIOS =>
  SCENARIOS.filter(({ id }) => rounds[0]?.samples[id] && (scenarios?.includes(id) ?? true))

const nameOf = (tool: string): string => TOOLS.find(({ id }) => id === tool)?.name ?? tool

function cell(samples: readonly Sample[], figure: FigureName): string {
  const failed = samples.filter((sample) => 'failure' in sample).length
  if (failed > 0) return `failed ${failed} of ${samples.length}`
  const values = valuesOf(samples, figure)
  return values ? spreadText(values, figure.endsWith('Bytes') ? 1e6 : 1) : NONE
}

/** `2.00 (1.00–9.00)`, in units of that many. */
function spreadText(values: readonly number[], unit: number): string {
  const { median, min, max } = spreadOf(values)
  const text = (value: number): string => threeDigits(value / unit)
  return min === max ? text(median) : `${text(median)} (${text(min)}–${text(max)})`
}

/** Starting and printing one line. */
export function renderStartUp({ startUp }: Results): string {
  if (!startUp) return ''
  const names = Object.keys(startUp)
  const row = names.map((name) => spreadText(startUp[name]!, 1e-3))
  const times = startUp[names[0]!]!.length
  return `## Printing the version, ms\n\n${times} times in turn.\n\n${markdownTable([names, row])}`
}

/** Every hour of the series: what was new, and each tool's time and size; then the sums. */
export function renderSeries({ series }: Results): string {
  if (!series) return ''
  const tools = Object.keys(series.backups)
  const figures = (tool: string, hour: number): string[] => {
    const sample = series.backups[tool]![hour]!
    if ('failure' in sample) return ['failed', 'failed']
    return [threeDigits(sample.wallSeconds), threeDigits(sample.repositoryBytes / 1e6)]
  }
  const fresh = series.hours.map(({ blkBytes, revBytes }) => blkBytes + revBytes)
  const rows = [0, ...fresh].map((bytes, hour) => [
    String(hour),
    hour === 0 ? NONE : threeDigits(bytes / 1e6),
    ...tools.flatMap((tool) => figures(tool, hour)),
  ])
  const header = ['hour', 'truly new, MB', ...tools.flatMap((tool) => [`${nameOf(tool)}, s`, 'repository, MB'])]
  const grown = tools.map((tool) => {
    const sizes = valuesOf(series.backups[tool]!, 'repositoryBytes')
    if (!sizes) return `${nameOf(tool)} failed`
    const bytes = sizes.at(-1)! - sizes[0]!
    return `${nameOf(tool)} ${threeDigits(bytes / 1e6)} MB (${threeDigits(bytes / sumOf(fresh))} ×)`
  })
  return [
    '## Hour after hour',
    `Truly new in ${fresh.length} hours (records appended to block and undo files): ${threeDigits(sumOf(fresh) / 1e6)} MB. ` +
      `The repositories have grown by ${grown.join('; ')}.`,
    markdownTable([header, ...rows]),
  ].join('\n\n')
}

/** What was new in the hours of the rounds. */
export function renderHours({ rounds }: Results): string {
  const hours = rounds.flatMap((round, i) =>
    Object.values(round.hours).map(
      ({ blkBytes, revBytes }) => `${threeDigits((blkBytes + revBytes) / 1e6)} MB in round ${i + 1}`,
    ),
  )
  return hours.length === 0
    ? ''
    : `Truly new in the hour before “one hour later” (records appended to block and undo files): ${hours.join(', ')}.`
}

export function renderFailures({ rounds, series }: Results): string {
  const ofRounds = rounds.flatMap(({ samples }) =>
    Object.entries(samples).flatMap(([scenario, tools]) => failuresOf(scenario, tools)),
  )
  const lines = [...ofRounds, ...failuresOf('hour after hour', series?.backups ?? {})]
  return lines.length === 0 ? '' : `## Failures\n\n${[...new Set(lines)].join('\n')}`
}

const failuresOf = (scenario: string, tools: Readonly<Record<string, readonly Sample[]>>): string[] =>
  Object.entries(tools).flatMap(([tool, samples]) =>
    samples.flatMap((sample) => ('failure' in sample ? `- ${scenario}, ${nameOf(tool)}: ${sample.failure}` : [])),
  )
