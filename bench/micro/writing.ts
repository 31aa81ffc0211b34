import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Backend } from '../../src/backend/backend.ts'
import { type FileSystem, nodeFileSystem } from '../../src/backend/file-system.ts'
import { localBackend } from '../../src/backend/local.ts'
import { createLocalFolders } from '../../src/backend/local-folders.ts'
import { type RaceOptions, race } from './race.ts'
import { type MicroRow, type MicroTable, megabytesASecond } from './table.ts'

/** What a task of a worker thread hands over at once. */
const RUN_BYTES = 4 << 20
const NAME = 'ab'.repeat(32)
const THROUGH_CACHE: FileSystem = { ...nodeFileSystem, create: (path) => nodeFileSystem.create(path) }

/** Durable files of each size, past the page cache, where the file system below `dir` lets that be, and through it. */
export async function raceWriting(
  dir: string,
  options: RaceOptions,
  sizes: readonly number[] = [4 << 20, 32 << 20, 128 << 20],
): Promise<MicroTable> {
  const bytes = randomBytes(Math.max(...sizes))
  const scratch = await mkdtemp(join(dir, 'chainkeep-writing-'))
  try {
    await createLocalFolders(scratch)
    const backends = {
      'past the page cache': localBackend(scratch),
      'through it': localBackend(scratch, THROUGH_CACHE),
    }
    const rows: MicroRow[] = []
    for (const size of sizes) {
      const rates = await race(backends, (backend) => write(backend, bytes.subarray(0, size)), options)
      rows.push({ name: `${size >> 20} MiB`, cells: megabytesASecond(rates) })
    }
    return { title: 'Writing packs', note: 'MB/s of files that are synced and named.', rows }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** In the place of the one before. Returns how much that was. */
async function write(backend: Backend, bytes: Uint8Array): Promise<number> {
  await backend.remove('data', NAME)
  const file = await backend.begin('data')
  for (let at = 0; at < bytes.length; at += RUN_BYTES) await file.append([bytes.subarray(at, at + RUN_BYTES)])
  await file.publish(NAME)
  return bytes.length
}
