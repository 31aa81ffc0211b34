import { ChainkeepError } from '../base/errors.ts'

/** A span of the calendar: `1y6m7d12h`. */
export interface Duration {
  readonly years: number
  readonly months: number
  readonly days: number
  readonly hours: number
}

/** Accepts numbers with `y`, `m` (months), `d` and `h`, in that order, at least one, or `0`. Throws USAGE. */
export function parseDuration(text: string): Duration {
  const match = /^(?:(\d{1,6})y)?(?:(\d{1,6})m)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?$/.exec(text === '0' ? '0h' : text)
  if (!match || text === '')
    throw new ChainkeepError('USAGE', `"${text}" is not a duration: write years, months, days and hours as 1y6m7d12h`, {
      text,
    })
  const [years = 0, months = 0, days = 0, hours = 0] = match.slice(1).map((digits) => Number(digits ?? 0))
  return { years, months, days, hours }
}

/** The shortest text that `parseDuration` reads as the same. */
export function formatDuration({ years, months, days, hours }: Duration): string {
  const parts = [years && `${years}y`, months && `${months}m`, days && `${days}d`, hours && `${hours}h`]
  return parts.filter(Boolean).join('') || '0h'
}

/**
 * The time that long before `timeMs`, by the calendar of UTC. A day that a month lacks counts on into the next, as in restic.
 * What is before all times that `Date` knows is -Infinity.
 */
export function timeBefore(timeMs: number, { years, months, days, hours }: Duration): number {
  const date = new Date(timeMs)
  date.setUTCFullYear(date.getUTCFullYear() - years, date.getUTCMonth() - months, date.getUTCDate() - days)
  const beforeMs = date.getTime() - hours * HOUR_MS
  return Number.isNaN(beforeMs) ? Number.NEGATIVE_INFINITY : beforeMs
}

export const HOUR_MS = 3_600_000
