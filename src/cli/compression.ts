import type { Effort } from '../native/compress.ts'

const NAMED = { auto: 'auto', off: 'off', fast: -3, better: 3, max: 19 } as const

/** A name, or a zstd level from -7 to 19; `undefined` for anything else. */
export function parseCompression(text: string): Effort | undefined {
  if (text in NAMED) return NAMED[text as keyof typeof NAMED]
  const level = /^-?\d{1,2}$/.test(text) ? Number(text) : Number.NaN
  return level >= -7 && level <= 19 ? level : undefined
}
