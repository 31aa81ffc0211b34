import { medianOf } from '../report/statistics.ts'
import { threeDigits } from '../report/units.ts'
import { FIGURES, type FigureName, medianFigure, type Results, valuesOf } from './results.ts'
import { SCENARIOS } from './scenarios.ts'
import { BARE_NODE } from './start-up.ts'
import { TOOLS } from './tools.ts'

/** What chainkeep is to reach, and what it has reached in a run. */
export interface Goal {
  readonly name: string
  readonly wanted: string
  /** `undefined` where the run has not measured it, or a tool failed. */
  readonly reached?: string
  readonly met?: boolean
}

/** A goal that sets a median of ours beside those of others in the same row. */
interface Rule {
  readonly scenario: string
  readonly figure: FigureName
  /** The least of these counts: wherever borg is meant without saying which, the better of both. */
  readonly others: readonly string[]
  /** Theirs divided by ours is to be at least this, or ours by theirs at most that. */
  readonly atLeast?: number
  readonly atMost?: number
  /** Default: chainkeep. */
  readonly ours?: string
}

const US = 'chainkeep'
const NO_KERNEL = 'chainkeep-no-kernel'
const RESTIC = ['restic']
const BORG = ['borg', 'borg-plain']
const CP = ['cp']

const RULES: readonly Rule[] = [
  { scenario: 'first', figure: 'wallSeconds', others: RESTIC, atLeast: 6 },
  { scenario: 'first', figure: 'wallSeconds', others: ['borg-plain'], atLeast: 3.5 },
  { scenario: 'first', figure: 'wallSeconds', others: CP, atMost: 2 },
  { scenario: 'first', figure: 'wallSeconds', others: RESTIC, atLeast: 2, ours: NO_KERNEL },
  { scenario: 'first', figure: 'repositoryBytes', others: RESTIC, atMost: 1 },
  { scenario: 'first', figure: 'repositoryBytes', others: BORG, atMost: 1 },
  { scenario: 'unchanged', figure: 'wallSeconds', others: RESTIC, atMost: 0.3 },
  { scenario: 'unchanged', figure: 'wallSeconds', others: BORG, atMost: 0.2 },
  { scenario: 'small-unchanged', figure: 'wallSeconds', others: RESTIC, atMost: 0.5 },
  { scenario: 'small-unchanged', figure: 'wallSeconds', others: BORG, atMost: 0.2 },
  { scenario: 'hour', figure: 'wallSeconds', others: RESTIC, atMost: 0.3 },
  { scenario: 'hour', figure: 'growthBytes', others: RESTIC, atMost: 1 },
  { scenario: 'hour', figure: 'growthBytes', others: BORG, atMost: 1 },
  { scenario: 'check-data', figure: 'wallSeconds', others: RESTIC, atLeast: 6 },
  { scenario: 'check-data', figure: 'wallSeconds', others: BORG, atLeast: 8 },
  { scenario: 'check-data', figure: 'wallSeconds', others: RESTIC, atLeast: 2, ours: NO_KERNEL },
  { scenario: 'restore', figure: 'wallSeconds', others: RESTIC, atLeast: 3 },
  { scenario: 'restore', figure: 'wallSeconds', others: BORG, atLeast: 4 },
  { scenario: 'restore', figure: 'wallSeconds', others: CP, atMost: 1.6 },
  { scenario: 'restore-damaged', figure: 'wallSeconds', others: RESTIC, atLeast: 3 },
  { scenario: 'restore-damaged', figure: 'wallSeconds', others: CP, atMost: 0.7 },
]
/** Of what was truly new in the hour. */
const GROWTH_LIMIT = 1.1
const PEAK_LIMIT_BYTES = 400e6
/** Beyond what node takes to start. */
const START_LIMIT_SECONDS = 0.06

/** In order of the table. */
export function judgeGoals(results: Results): Goal[] {
  const goals = RULES.map((rule) => judgeRule(results, rule))
  const afterHour = RULES.findLastIndex(({ scenario }) => scenario === 'hour') + 1
  return [...goals.toSpliced(afterHour, 0, judgeGrowth(results)), judgePeak(results), judgeStart(results)]
}

function judgeRule(results: Results, rule: Rule): Goal {
  const { scenario, figure, others, atLeast, ours = US } = rule
  const limit = atLeast ?? rule.atMost!
  const ourName = ours === US ? '' : `, ${nameOf(ours)}`
  const theirName = others === BORG ? 'borg' : nameOf(others[0]!)
  const name = `${SCENARIOS.find(({ id }) => id === scenario)!.name}${ourName}`
  const wanted =
    atLeast === undefined
      ? `${FIGURES[figure].noun} ≤ ${limit} × that of ${theirName}`
      : `≥ ${limit} × as fast as ${theirName}`
  const our = medianFigure(results, scenario, ours, figure)
  const theirs = others.map((other) => medianFigure(results, scenario, other, figure))
  const known = theirs.filter((value) => value !== undefined)
  if (our === undefined || known.length === 0) return { name, wanted }
  const their = Math.min(...known)
  const ratio = atLeast === undefined ? our / their : their / our
  return judged(name, wanted, `${threeDigits(ratio)} ×`, atLeast === undefined ? ratio <= limit : ratio >= limit)
}

/** Beside the records that the node has appended, which is what a backup cannot do without. */
function judgeGrowth({ rounds }: Results): Goal {
  const name = 'one hour later'
  const wanted = `growth ≤ ${GROWTH_LIMIT} × what is truly new`
  const ratios = rounds.flatMap(({ samples, hours: { hour } }) => {
    const growths = valuesOf(samples.hour?.[US] ?? [], 'growthBytes')
    return hour && growths ? growths.map((growth) => growth / (hour.blkBytes + hour.revBytes)) : []
  })
  if (ratios.length === 0) return { name, wanted }
  const ratio = medianOf(ratios)
  return judged(name, wanted, `${threeDigits(ratio)} ×`, ratio <= GROWTH_LIMIT)
}

function judgePeak({ rounds, series }: Results): Goal {
  const name = 'memory'
  const wanted = `peak < ${PEAK_LIMIT_BYTES / 1e6} MB in every row`
  const samples = rounds.flatMap((round) => Object.values(round.samples).flatMap((tools) => tools[US] ?? []))
  const peaks = valuesOf([...samples, ...(series?.backups[US] ?? [])], 'peakBytes')
  if (!peaks) return { name, wanted }
  const peak = Math.max(...peaks)
  return judged(name, wanted, `${threeDigits(peak / 1e6)} MB`, peak < PEAK_LIMIT_BYTES)
}

function judgeStart({ startUp }: Results): Goal {
  const name = 'start'
  const wanted = `\`chainkeep version\` ≤ ${START_LIMIT_SECONDS * 1000} ms longer than \`${BARE_NODE}\``
  const ours = startUp?.[nameOf(US)]
  const bare = startUp?.[BARE_NODE]
  if (!ours || !bare) return { name, wanted }
  const longer = medianOf(ours) - medianOf(bare)
  return judged(name, wanted, `${threeDigits(longer * 1000)} ms`, longer <= START_LIMIT_SECONDS)
}

const judged = (name: string, wanted: string, reached: string, met: boolean): Goal => ({ name, wanted, reached, met })

const nameOf = (tool: string): string => TOOLS.find(({ id }) => id === tool)!.name
