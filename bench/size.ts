const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }

/** `64K`, `200M` or `2G` in bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+)([KMG]?)$/.exec(text)
  if (!match) throw new RangeError(`not a size such as 200M or 2G: ${text}`)
  return Number(match[1]) * UNITS[match[2]!]!
}

/** In MB of a million bytes, as disks and speeds are told. */
export const formatMegabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(Math.abs(bytes) < 100e6 ? 1 : 0)} MB`
