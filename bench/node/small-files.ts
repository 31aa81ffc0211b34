import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeDice, mix32, randomBytes } from './random.ts'

/** One directory of small files. */
export interface DirectoryJob {
  readonly path: string
  readonly seed: number
  /** Number of its first file. */
  readonly first: number
  readonly count: number
}

const FILES_PER_DIRECTORY = 200
const MAX_FILE_BYTES = 8192

/** `count` files of 1 to 8 KiB in directories of 200: half of each is random, half is not. */
export function planSmallFiles(dir: string, seed: number, count: number): DirectoryJob[] {
  return Array.from({ length: Math.ceil(count / FILES_PER_DIRECTORY) }, (_, i) => {
    const first = i * FILES_PER_DIRECTORY
    const path = join(dir, String(i).padStart(4, '0'))
    return { path, seed, first, count: Math.min(FILES_PER_DIRECTORY, count - first) }
  })
}

export function makeDirectory({ path, seed, first, count }: DirectoryJob): void {
  mkdirSync(path)
  const dice = makeDice(mix32(seed, first))
  const random = randomBytes(seed, `small ${first}`, count * MAX_FILE_BYTES)
  for (let i = 0; i < count; i++) {
    const length = 1024 + dice(MAX_FILE_BYTES - 1023)
    const bytes = random.subarray(i * MAX_FILE_BYTES, i * MAX_FILE_BYTES + length)
    for (let at = 32; at + 32 <= length; at += 64) bytes.fill(0x20, at, at + 32)
    writeFileSync(join(path, `${String(first + i).padStart(6, '0')}.dat`), bytes)
  }
}
