import { formatSize } from '../../src/cli/sizes.ts'
import { type PlotSeries, plotBars, plotLines } from '../report/plot.ts'
import { runningSums } from '../report/statistics.ts'
import { medianFigure, type Results, valuesOf } from './results.ts'
import { SCENARIOS } from './scenarios.ts'
import type { Series } from './series.ts'
import { TOOLS } from './tools.ts'

/** Of Okabe and Ito (2008), told apart by everybody; pairs of one tool are dark and light. */
const COLOURS: Readonly<Record<string, string>> = {
  cp: '#777777',
  chainkeep: '#0072b2',
  'chainkeep-no-kernel': '#56b4e9',
  restic: '#d55e00',
  borg: '#009e73',
  'borg-plain': '#e69f00',
}
/** Rows that take seconds. */
const LONG = ['first', 'check-data', 'restore', 'restore-damaged']

/** SVG by the name of its file. */
export function renderPlots(results: Results): Record<string, string> {
  const { series } = results
  return { 'times.svg': timesPlot(results), ...(series && seriesPlots(series, results.bytes)) }
}

function timesPlot(results: Results): string {
  const rows = SCENARIOS.filter(({ id }) => LONG.includes(id) && results.rounds[0]?.samples[id])
  const series = Object.keys(results.versions).map((tool) => ({
    ...styleOf(tool),
    values: rows.map(({ id }) => medianFigure(results, id, tool, 'wallSeconds')),
  }))
  const subtitle = `${formatSize(results.bytes)} of node data, medians of ${results.rounds.length} rounds`
  const names = rows.map(({ name }) => name)
  return plotBars(names, { title: 'Wall time', subtitle, xAxis: 'seconds', yAxis: '', series })
}

type Line = PlotSeries<readonly [x: number, y: number]>

function seriesPlots(series: Series, bytes: number): Record<string, string> {
  const fresh: Line = {
    name: 'truly new',
    colour: '#000000',
    style: 'dashed',
    values: [0, ...runningSums(series.hours.map(({ blkBytes, revBytes }) => blkBytes + revBytes))].map(inMegabytes),
  }
  const subtitle = `${series.hours.length} hours of growth of ${formatSize(bytes)} of node data`
  const xAxis = 'hours since the first backup'
  return {
    'hourly-time.svg': plotLines({
      title: 'Time of an hourly backup',
      subtitle,
      xAxis,
      yAxis: 'seconds',
      series: linesOf(series, 'wallSeconds', (seconds) =>
        seconds.slice(1).map((value, i): readonly [number, number] => [i + 1, value]),
      ),
    }),
    'hourly-growth.svg': plotLines({
      title: 'Growth of the repository',
      subtitle,
      xAxis,
      yAxis: 'MB since the first backup',
      series: [
        ...linesOf(series, 'repositoryBytes', (sizes) => sizes.map((size) => size - sizes[0]!).map(inMegabytes)),
        fresh,
      ],
    }),
    'hourly-size.svg': plotLines({
      title: 'Size of the repository',
      subtitle,
      xAxis,
      yAxis: 'MB',
      series: linesOf(series, 'repositoryBytes', (sizes) => sizes.map(inMegabytes)),
    }),
  }
}

const inMegabytes = (bytes: number, hour: number): readonly [number, number] => [hour, bytes / 1e6]

function linesOf(
  series: Series,
  figure: 'wallSeconds' | 'repositoryBytes',
  pointsOf: (values: readonly number[]) => Line['values'],
): Line[] {
  return Object.entries(series.backups).map(([tool, samples]) => ({
    ...styleOf(tool),
    values: pointsOf(valuesOf(samples, figure) ?? []),
  }))
}

function styleOf(tool: string): { name: string; colour: string } {
  const name = TOOLS.find(({ id }) => id === tool)?.name ?? tool
  return { name, colour: COLOURS[tool] ?? '#cc79a7' }
}
