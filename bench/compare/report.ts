import { formatMegabytes } from '../units.ts'
import type { Round, Sample } from './run.ts'
import type { Scenario } from './scenarios.ts'
import type { Tool } from './tools.ts'

/** A figure of every sample, and how it is written. Each makes one table. */
interface Metric {
  readonly title: string
  readonly of: (sample: Exclude<Sample, { failure: string }>) => number | undefined
  readonly format: (value: number) => string
  /** Scenarios that it says something about; all, unless given. */
  readonly verbs?: readonly string[]
}

const seconds = (value: number): string => value.toFixed(2)
/** With three digits, so that the few KB of an unchanged backup show. */
const megabytes = (bytes: number): string => {
  const digits = Math.abs(bytes) < 1e6 ? 3 : Math.abs(bytes) < 100e6 ? 1 : 0
  return (bytes / 1e6).toFixed(digits)
}

const METRICS: readonly Metric[] = [
  { title: 'Wall time, s', of: (sample) => sample.wallSeconds, format: seconds },
  { title: 'CPU time (user + system), s', of: (sample) => sample.cpuSeconds, format: seconds },
  { title: 'Peak memory (resident set), MB', of: (sample) => sample.peakBytes, format: megabytes },
  {
    title: 'Growth of the repository, MB',
    of: (sample) => sample.growthBytes,
    format: megabytes,
    verbs: ['first', 'again', 'prune'],
  },
]
/** The columns of ratios say how many times the others' figure this tool's is. */
const OURS = 'chainkeep'

/** One table for each metric, in Markdown: medians with (min to max), then our median divided by each other's. */
export function renderTables(rounds: readonly Round[], scenarios: readonly Scenario[], tools: readonly Tool[]): string {
  const names = tools.map((tool) => tool.name)
  const others = names.includes(OURS) ? names.filter((name) => name !== OURS) : []
  const tables = METRICS.map((metric) => {
    const header = ['', ...names, ...others.map((other) => `${OURS} / ${other}`)]
    const rows = scenarios
      .filter(({ verb }) => metric.verbs?.includes(verb) ?? true)
      .map((scenario) => {
        const cells = new Map(names.map((name) => [name, samplesOf(rounds, scenario, name)]))
        const ratios = others.map((other) => ratio(metric, cells.get(OURS)!, cells.get(other)!))
        return [scenario.name, ...names.map((name) => cell(metric, cells.get(name)!)), ...ratios]
      })
    return `## ${metric.title}\n\n${markdownTable([header, ...rows])}`
  })
  return [...tables, renderHours(rounds), renderFailures(rounds, scenarios, names)].filter(Boolean).join('\n\n')
}

const samplesOf = (rounds: readonly Round[], scenario: Scenario, tool: string): Sample[] =>
  rounds.flatMap(({ samples }) => samples.get(scenario.name)?.get(tool) ?? [])

/** The values in order; `undefined` if the tool has none, or failed once. */
function valuesOf(metric: Metric, samples: readonly Sample[]): number[] | undefined {
  const values = samples.map((sample) => ('failure' in sample ? undefined : metric.of(sample)))
  if (values.length === 0 || values.includes(undefined)) return undefined
  return (values as number[]).sort((a, b) => a - b)
}

function cell(metric: Metric, samples: readonly Sample[]): string {
  const failed = samples.filter((sample) => 'failure' in sample).length
  if (failed > 0) return `failed ${failed} of ${samples.length}`
  const values = valuesOf(metric, samples)
  if (!values) return '–'
  const { format } = metric
  return `${format(median(values))} (${format(values[0]!)} to ${format(values.at(-1)!)})`
}

function ratio(metric: Metric, ours: readonly Sample[], theirs: readonly Sample[]): string {
  const [our, their] = [valuesOf(metric, ours), valuesOf(metric, theirs)]
  return our && their && median(their) !== 0 ? (median(our) / median(their)).toFixed(2) : '–'
}

/** Of sorted values. */
function median(values: readonly number[]): number {
  const middle = values.length / 2
  return (values[Math.ceil(middle) - 1]! + values[Math.floor(middle)]!) / 2
}

/** What an hour's growth is to be held against. */
function renderHours(rounds: readonly Round[]): string {
  const hours = rounds.map((round, i) => {
    const passed = round.hours.map(({ blkBytes, revBytes }) => formatMegabytes(blkBytes + revBytes))
    return `round ${i + 1}: ${passed.join(', ')}`
  })
  return `Truly new in the hours that passed (records appended to block and undo files): ${hours.join('; ')}.`
}

function renderFailures(rounds: readonly Round[], scenarios: readonly Scenario[], tools: readonly string[]): string {
  const lines = scenarios.flatMap((scenario) =>
    tools.flatMap((tool) =>
      samplesOf(rounds, scenario, tool).flatMap((sample) =>
        'failure' in sample ? `- ${scenario.name}, ${tool}: ${sample.failure}` : [],
      ),
    ),
  )
  return lines.length === 0 ? '' : `## Failures\n\n${[...new Set(lines)].join('\n')}`
}

/** Aligned, so that it reads well unrendered, too. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]): string => `| ${row.map((text, i) => text.padEnd(widths[i]!)).join(' | ')} |`
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join('\n')
}
