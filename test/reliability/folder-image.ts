import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Dice } from '../../bench/node/random.ts'
import { errnoOf } from '../../src/base/errors.ts'

/** Files of folders that no seam stands before (LevelDB's, and the cache), by path. */
export type FolderImage = ReadonlyMap<string, Uint8Array>

/** Everything below the folders, as a process that is killed now leaves it. What vanishes meanwhile is left out. */
export function readFolders(folders: readonly string[]): FolderImage {
  const image = new Map<string, Uint8Array>()
  const visit = (path: string): void => {
    for (const entry of unlessGone(() => readdirSync(path, { withFileTypes: true })) ?? []) {
      const child = join(path, entry.name)
      const bytes = entry.isDirectory() ? visit(child) : unlessGone(() => readFileSync(child))
      if (bytes) image.set(child, bytes)
    }
  }
  for (const folder of folders) visit(folder)
  return image
}

/** Puts an image in the place of all that is in the folders. */
export function writeFolders(folders: readonly string[], image: FolderImage): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  for (const [path, bytes] of image) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
  }
}

export function hashOf(image: FolderImage): string {
  const hash = createHash('sha1')
  for (const [path, bytes] of image) hash.update(`${path}\0${bytes.length}\0`).update(bytes)
  return hash.digest('base64')
}

/** The same with some of its files cut off, zeroed from somewhere on, or gone: nobody has synced them. */
export function torn(image: FolderImage, dice: Dice): FolderImage {
  const left = new Map<string, Uint8Array>()
  for (const [path, bytes] of image) {
    const harm = dice(5)
    const at = dice(bytes.length + 1)
    if (harm === 0) continue
    if (harm === 1) left.set(path, bytes.subarray(0, at))
    else if (harm === 2) left.set(path, Buffer.concat([bytes.subarray(0, at), Buffer.alloc(bytes.length - at)]))
    else left.set(path, bytes)
  }
  return left
}

function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    return undefined
  }
}
