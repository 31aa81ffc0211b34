import type { BigIntStats } from 'node:fs'

/** What tells a file from what it was: any write, replacement or change of its metadata changes this text. */
export function fileSignature(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}:${stats.mode}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`
}
