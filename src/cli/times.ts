/** RFC 3339 with the nanoseconds that `Date` lacks. */
export function isoTimeNs(timeNs: bigint): string {
  const ns = ((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const seconds = new Date(Number((timeNs - ns) / 1_000_000n)).toISOString().slice(0, -5)
  return `${seconds}.${String(ns).padStart(9, '0')}Z`
}

/** `0:07`, `12:34`, `1:02:03`. */
export function formatElapsed(durationMs: number): string {
  const total = Math.max(0, Math.round(durationMs / 1000))
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60]
  const tail = String(seconds).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`
}

/** What took less than ten seconds with its tenths: `0.8 s`; else as `formatElapsed`. */
export function formatDuration(durationMs: number): string {
  return durationMs < 9_950 ? `${(durationMs / 1000).toFixed(1)} s` : formatElapsed(durationMs)
}

/** `now`, `2026-11-21`, `2026-11-21 07:00:00` (local time), or ISO 8601 with a zone: milliseconds since 1970, or `undefined`. */
export function parseTime(text: string, nowMs: number): number | undefined {
  if (text === 'now') return nowMs
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?)?$/.exec(text)
  if (!match || !isDate(match[1]!)) return undefined
  const timeMs = Date.parse(`${match[1]}T${match[2] ?? '00:00:00'}${match[3] ?? ''}`)
  return Number.isNaN(timeMs) ? undefined : timeMs
}

/** Whether there is such a day: `Date.parse` takes the 31st of February for the 3rd of March. */
function isDate(day: string): boolean {
  const midnight = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day)
}
