import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { makeDirectories } from '../base/directories.ts'
import { ID_BYTES, type PackId, packIdAt } from '../base/ids.ts'
import type { Repository } from './repository.ts'

/**
 * Which packs this machine has seen in a repository: so that a backup that finds nothing changed, and opens no index, still
 * notices when something that its parent needs may be gone. Kept in the cache folder; losing it loses the notice only.
 *
 *     file = ids (32 bytes each) | u32 CRC-32 of them
 */
export async function vanishedPacks(repository: Repository): Promise<PackId[]> {
  const known = readKnown(fileOf(repository))
  if (known.size === 0) return []
  for await (const name of listPacks(repository)) known.delete(name)
  return [...known.values()]
}

/** Notes which packs there are now. Best effort: what keeps it from being written keeps nothing else from working. */
export async function rememberPacks(repository: Repository): Promise<void> {
  const file = fileOf(repository)
  const ids: Buffer[] = []
  for await (const name of listPacks(repository)) ids.push(Buffer.from(name, 'hex'))
  const bytes = Buffer.concat(ids)
  const check = Buffer.alloc(4)
  check.writeUInt32LE(crc32(bytes))
  const temporary = `${file}-${process.pid}`
  try {
    makeDirectories(repository.cacheDirectory)
    await writeFile(temporary, Buffer.concat([bytes, check]), { mode: 0o600 })
    await rename(temporary, file)
  } catch {
    // a full or unwritable cache folder: the next backup has an older list, or none, to go by
  }
}

const fileOf = (repository: Repository): string => join(repository.cacheDirectory, 'packs')

async function* listPacks({ backend }: Repository): AsyncGenerator<string, void, undefined> {
  for (const kind of ['data', 'meta'] as const)
    for await (const name of backend.list(kind)) if (name.length === 2 * ID_BYTES) yield name
}

function readKnown(file: string): Map<string, PackId> {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch {
    return new Map()
  }
  const end = bytes.length - 4
  if (end < 0 || end % ID_BYTES !== 0 || crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) return new Map()
  return new Map(Array.from({ length: end / ID_BYTES }, (_, i) => packIdAt(bytes, i * ID_BYTES)).map((id) => [id, id]))
}
