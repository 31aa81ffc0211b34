import type { BigIntStats } from 'node:fs'

/**
 * What tells a file from what it was: any write, replacement or change of its metadata changes this text. The device number
 * is left out, since it may change when a machine starts again.
 */
export function fileSignature(stats: BigIntStats): string {
  return `${stats.ino}:${stats.mode}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`
}

/** Whether a file that has `stats` now is the inode that had this signature. */
export function isSameInode(signature: string, stats: BigIntStats): boolean {
  return signature.startsWith(`${stats.ino}:`)
}

/**
 * Whether a file may have changed again within the tick of the clock in which it last changed, after it was looked at by
 * a backup that began at `startMs` ("racily clean": git's Documentation/technical/racy-git). The kernel's coarse clock ticks every 10 ms at most; file
 * systems that keep no fractions of a second are given two.
 */
export function isRacy({ ctimeNs }: BigIntStats, startMs: number): boolean {
  if (Number(ctimeNs) / 1e6 < startMs - 3000) return false // as nearly always; what follows takes five times as long
  const tickMs = ctimeNs % 1_000_000_000n === 0n ? 2000 : 20
  return Number(ctimeNs / 1_000_000n) >= startMs - tickMs
}
