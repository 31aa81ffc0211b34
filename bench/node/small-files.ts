import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDice, mix32, randomBytes } from './random.ts'

const FILES_PER_DIRECTORY = 200

/** Writes `count` files of 1 to 8 KiB in directories of 200: half of each is random, half is not. */
export async function makeSmallFiles(dir: string, seed: number, count: number): Promise<void> {
  const dice = makeDice(mix32(seed, 0x5a11))
  for (let first = 0; first < count; first += FILES_PER_DIRECTORY) {
    const folder = join(dir, String(first / FILES_PER_DIRECTORY).padStart(4, '0'))
    await mkdir(folder, { recursive: true })
    const random = randomBytes(seed, `small ${first}`, FILES_PER_DIRECTORY * MAX_FILE_BYTES)
    for (let i = 0; i < Math.min(FILES_PER_DIRECTORY, count - first); i++) {
      const length = 1024 + dice(MAX_FILE_BYTES - 1023)
      const bytes = random.subarray(i * MAX_FILE_BYTES, i * MAX_FILE_BYTES + length)
      for (let at = 32; at + 32 <= length; at += 64) bytes.fill(0x20, at, at + 32)
      await writeFile(join(folder, `${String(first + i).padStart(6, '0')}.dat`), bytes)
    }
  }
}

const MAX_FILE_BYTES = 8192
