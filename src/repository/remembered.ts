import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { makeDirectories } from '../base/directories.ts'
import type { Repository } from './repository.ts'

/**
 * What this machine remembers of a repository, in the cache folder: files of equal items. Losing one costs time only.
 *
 *     file = items | u32 CRC-32 of them
 */
export function recall(repository: Repository, name: string, itemBytes: number): Uint8Array[] {
  let bytes: Buffer
  try {
    bytes = readFileSync(join(repository.cacheDirectory, name))
  } catch {
    return []
  }
  const end = bytes.length - 4
  if (end < 0 || end % itemBytes !== 0 || crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) return []
  return Array.from({ length: end / itemBytes }, (_, i) => bytes.subarray(i * itemBytes, (i + 1) * itemBytes))
}

/** Best effort: what keeps it from being written keeps nothing else from working. */
export async function remember(repository: Repository, name: string, items: readonly Uint8Array[]): Promise<void> {
  const file = join(repository.cacheDirectory, name)
  const bytes = Buffer.concat(items)
  const check = Buffer.alloc(4)
  check.writeUInt32LE(crc32(bytes))
  const temporary = `${file}-${process.pid}`
  try {
    makeDirectories(repository.cacheDirectory)
    await writeFile(temporary, Buffer.concat([bytes, check]), { mode: 0o600 })
    await rename(temporary, file)
  } catch {
    // a full or unwritable cache folder: the next run has older items, or none, to go by
  }
}
