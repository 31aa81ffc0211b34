import { type EChartsOption, init } from 'echarts'
import { threeDigits } from './units.ts'

/** One entry of a legend. Lines differ in symbol and stroke, too, so that they are told apart without colour. */
export interface PlotSeries<Value> {
  readonly name: string
  readonly colour: string
  /** Of lines: `dashed` for what is no measurement, and `points` that no line joins. Default: both line and points. */
  readonly style?: 'dashed' | 'points'
  /** Default: true. */
  readonly inLegend?: boolean
  readonly values: readonly Value[]
}

export interface Plot<Value> {
  readonly title: string
  /** What else is to be known. */
  readonly subtitle: string
  /** What the axes are, with units. */
  readonly xAxis: string
  readonly yAxis: string
  readonly series: readonly PlotSeries<Value>[]
}

const WIDTH = 860
const INK = '#222'
const RULE = '#ddd'
/** Room around the plot itself: for title and legend, and for the name of the axis. */
const GRID = { right: 40, top: 106, bottom: 60 }
const FONT = 'Helvetica, Arial, Liberation Sans, sans-serif'
const SYMBOLS = ['circle', 'rect', 'triangle', 'diamond', 'emptyCircle', 'emptyRect']

/** Lines through points; both axes start at 0. An SVG on white. */
export function plotLines(plot: Plot<readonly [x: number, y: number]>): string {
  const { xAxis, yAxis, series } = plot
  const named = series.filter(({ inLegend = true }) => inLegend)
  return render(plot, 480, {
    legend: {
      ...LEGEND,
      data: named.map(({ name, style }) => (style === 'dashed' ? { name, icon: DASHES } : { name })),
    },
    grid: { ...GRID, left: 84 },
    xAxis: { ...AXIS, type: 'value', name: xAxis, nameLocation: 'middle', nameGap: 32, max: 'dataMax' },
    yAxis: { ...AXIS, type: 'value', name: yAxis, nameLocation: 'middle', nameGap: 60, nameRotate: 90 },
    series: series.map(({ name, colour, style, values }, i) => ({
      type: 'line',
      name,
      data: values.map((point) => [...point]),
      color: colour,
      symbol: style === 'dashed' ? 'none' : SYMBOLS[i % SYMBOLS.length]!,
      symbolSize: 7,
      lineStyle: { width: style === 'points' ? 0 : 2, type: style === 'dashed' ? 'dashed' : 'solid' },
    })),
  })
}

/** Groups of horizontal bars from the top down, each with its value behind it; `undefined` leaves a gap. An SVG on white. */
export function plotBars(groups: readonly string[], plot: Plot<number | undefined>): string {
  const { xAxis, series } = plot
  return render(plot, GRID.top + GRID.bottom + groups.length * (series.length * 16 + 20), {
    grid: { ...GRID, left: 230 },
    xAxis: { ...AXIS, type: 'value', name: xAxis, nameLocation: 'middle', nameGap: 32 },
    yAxis: { ...AXIS, type: 'category', inverse: true, data: [...groups], axisTick: { show: false } },
    series: series.map(({ name, colour, values }) => ({
      type: 'bar',
      name,
      data: values.map((value) => value ?? '-'),
      color: colour,
      barCategoryGap: '22%',
      barGap: '10%',
      label: {
        ...TEXT,
        show: true,
        position: 'right',
        fontSize: 11,
        formatter: ({ value }) => threeDigits(Number(value)),
      },
    })),
  })
}

const TEXT = { color: INK, fontFamily: FONT }
const AXIS = {
  nameTextStyle: { ...TEXT, fontSize: 13 },
  axisLabel: { ...TEXT, fontSize: 12 },
  axisLine: { show: true, lineStyle: { color: INK } },
  splitLine: { lineStyle: { color: RULE } },
} as const

/** Three of them: what a legend shows by itself for a line without symbols is a dot. */
const DASHES = 'path://M0,0h8v2h-8zM11,0h8v2h-8zM22,0h8v2h-8z'
const LEGEND = { top: 64, itemGap: 28, itemWidth: 30, textStyle: { ...TEXT, fontSize: 12 } }

function render({ title, subtitle }: Plot<unknown>, height: number, option: EChartsOption): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  try {
    chart.setOption({
      animation: false,
      backgroundColor: '#fff',
      title: {
        text: title,
        subtext: subtitle,
        left: 'center',
        top: 10,
        textStyle: { ...TEXT, fontSize: 16, fontWeight: 'bold' },
        subtextStyle: { ...TEXT, fontSize: 12 },
      },
      legend: LEGEND,
      ...option,
    })
    return `${chart.renderToSVGString()}\n`
  } finally {
    chart.dispose()
  }
}
