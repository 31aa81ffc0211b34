const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Three digits and a binary unit: `17 B`, `1.50 KiB`, `123 MiB`. */
export function formatSize(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : threeDigits(value)} ${UNITS[unit]}`
}

/** `64K`, `16M`, `2G`, `1.5GiB`, `4096`: bytes. `undefined` for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([KMGTP]?)(?:iB|B)?$/i.exec(text)
  if (!match) return undefined
  const exponent = 'KMGTP'.indexOf(match[2]!.toUpperCase() || '-') + 1
  const bytes = Math.round(Number(match[1]) * 1024 ** exponent)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** `5%`: a share from 0 to 1. `undefined` for anything else. */
export function parsePercent(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text)
  const share = Number(match?.[1]) / 100
  return match && share <= 1 ? share : undefined
}

/** `10` or `10%`: whole percents from 0 to 100. `undefined` for anything else. */
export function parseParity(text: string): number | undefined {
  const percent = /^(\d{1,3})%?$/.exec(text)?.[1]
  return percent !== undefined && Number(percent) <= 100 ? Number(percent) : undefined
}

/** A whole number with commas between thousands. Not by `toLocaleString`, which takes 15 ms to load what it knows of languages. */
export const formatCount = (count: number): string => String(count).replace(/\B(?=(?:\d{3})+$)/g, ',')

/** `1.23x`; `-` where there is nothing to compare. */
export const formatRatio = (part: number, whole: number): string => (part > 0 ? `${threeDigits(whole / part)}x` : '-')

function threeDigits(value: number): string {
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)
}
