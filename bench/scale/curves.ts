/** One figure against one quantity: every measurement is a point. */
export interface Curve {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

/** Figures of one unit, drawn in one plot. */
export interface CurveGroup {
  /** Names the plot's file. */
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly curves: readonly Curve[]
}

/** What was measured against one quantity. */
export interface Dimension {
  readonly title: string
  /** Of the quantity, with its unit in singular for slopes. */
  readonly axis: string
  readonly unit: string
  readonly groups: readonly CurveGroup[]
}
