import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

const buffer = new Uint8Array(1 << 20)

/** Reads every file below `dir`, if it is there, so that all of them are in the page cache, whoever comes first. */
export async function warm(dir: string): Promise<void> {
  if (!existsSync(dir)) return
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const fd = openSync(join(entry.parentPath, entry.name), 'r')
    while (readSync(fd, buffer, 0, buffer.length, null) > 0);
    closeSync(fd)
  }
}
