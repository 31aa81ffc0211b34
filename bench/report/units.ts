/** Three digits, so that small figures show as well as large ones: `0.053`, `1.23`, `31.9`, `1560`. */
export function threeDigits(value: number): string {
  const magnitude = Math.abs(value)
  const digits = magnitude < 0.9995 ? 3 : magnitude < 9.995 ? 2 : magnitude < 99.95 ? 1 : 0
  return value.toFixed(digits)
}

/** In MB of a million bytes, as disks and speeds are told. */
export const formatMegabytes = (bytes: number): string => `${threeDigits(bytes / 1e6)} MB`
