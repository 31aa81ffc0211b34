export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Of at least one value, in any order. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('there is no median of nothing')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

export const medianOf = (values: readonly number[]): number => spreadOf(values).median

export const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)

/** The sums of the first one, two, three, … values. */
export function runningSums(values: readonly number[]): number[] {
  let sum = 0
  return values.map((value) => (sum += value))
}

export interface Line {
  readonly slope: number
  readonly intercept: number
  /** The coefficient of determination, R²: 1 where all points are on the line. */
  readonly fit: number
}

/** The line of least squares through at least two points, not all at the same x. */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): Line {
  const meanX = sumOf(points.map(([x]) => x)) / points.length
  const meanY = sumOf(points.map(([, y]) => y)) / points.length
  const spreadX = sumOf(points.map(([x]) => (x - meanX) ** 2))
  const spreadY = sumOf(points.map(([, y]) => (y - meanY) ** 2))
  if (spreadX === 0) throw new RangeError('a line takes two different points')
  const slope = sumOf(points.map(([x, y]) => (x - meanX) * (y - meanY))) / spreadX
  const intercept = meanY - slope * meanX
  const missed = sumOf(points.map(([x, y]) => (y - intercept - slope * x) ** 2))
  return { slope, intercept, fit: spreadY === 0 ? 1 : 1 - missed / spreadY }
}
