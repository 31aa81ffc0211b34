import type { Effort } from '../native/compress.ts'

/** `auto` begins at -5 and goes up to 1; `fast` stays below it, and 3 is what others take by default. */
const NAMED = { auto: 'auto', off: 'off', fast: -7, better: 3, max: 19 } as const

/** A name, or a zstd level from -7 to 19; `undefined` for anything else. */
export function parseCompression(text: string): Effort | undefined {
  if (Object.hasOwn(NAMED, text)) return NAMED[text as keyof typeof NAMED]
  const level = /^-?\d{1,2}$/.test(text) ? Number(text) : Number.NaN
  return level >= -7 && level <= 19 ? level : undefined
}
