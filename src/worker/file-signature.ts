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
