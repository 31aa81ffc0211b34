import { markdownTable } from '../report/markdown.ts'
import { plotLines } from '../report/plot.ts'
import { fitLine, medianOf } from '../report/statistics.ts'
import { threeDigits } from '../report/units.ts'
import type { Curve, CurveGroup, Dimension } from './curves.ts'

/** Of Okabe and Ito (2008), told apart by everybody. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7']

/** A table of the medians, with the line of least squares through all points, and the plots. Markdown. */
export function renderDimension(dimension: Dimension, plotPath: (group: CurveGroup) => string): string {
  const { title, axis, unit, groups } = dimension
  const xs = xsOf(groups.flatMap(({ curves }) => curves))
  const rows = groups.flatMap((group) => group.curves.map((curve) => rowOf(curve, group.unit, unit, xs)))
  const header = [axis, ...xs.map(threeDigits), 'slope', 'at 0', 'R²']
  const plots = groups.map((group) => `![${group.title}](${plotPath(group)})`)
  return [`## ${title}`, markdownTable([header, ...rows]), ...plots].join('\n\n')
}

/** An SVG. */
export function plotGroup({ title, unit, curves }: CurveGroup, { axis }: Dimension): string {
  const series = curves.flatMap(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length]!
    const { slope, intercept } = fitLine(points)
    const ends = [0, Math.max(...points.map(([x]) => x))].map((x) => [x, intercept + slope * x] as const)
    return [
      { name, colour, values: points, style: 'points' as const },
      { name: `${name}: fitted`, colour, values: ends, style: 'dashed' as const, inLegend: false },
    ]
  })
  const subtitle = 'points are measurements, dashed the lines of least squares'
  return plotLines({ title, subtitle, xAxis: axis, yAxis: unit, series })
}

const xsOf = (curves: readonly Curve[]): number[] =>
  [...new Set(curves.flatMap(({ points }) => points.map(([x]) => x)))].toSorted((a, b) => a - b)

function rowOf({ name, points }: Curve, unit: string, perUnit: string, xs: readonly number[]): string[] {
  const cells = xs.map((x) => {
    const ys = points.filter(([other]) => other === x).map(([, y]) => y)
    return ys.length === 0 ? '–' : threeDigits(medianOf(ys))
  })
  const { slope, intercept, fit } = fitLine(points)
  const slopeText = `${significant(slope)} ${unit} per ${perUnit}`
  return [`${name}, ${unit}`, ...cells, slopeText, `${threeDigits(intercept)} ${unit}`, fit.toFixed(3)]
}

/** Slopes may be tiny. */
const significant = (value: number): string => String(Number(value.toPrecision(3)))
