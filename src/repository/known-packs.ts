import { ID_BYTES, idBytes, type PackId, packIdAt, parsePackId } from '../base/ids.ts'
import { packsIn } from './condemned.ts'
import { recall, remember } from './remembered.ts'
import type { Repository } from './repository.ts'

const FILE = 'packs'

/**
 * Packs that are gone and that this machine has seen in the repository: so that a backup that finds nothing changed, and opens
 * no index, still notices when something that its parent needs may be gone.
 */
export async function vanishedPacks(repository: Repository): Promise<PackId[]> {
  const known = new Set<PackId>(recall(repository, FILE, ID_BYTES).map((id) => packIdAt(id)))
  if (known.size === 0) return []
  for await (const id of listPacks(repository)) known.delete(id)
  return [...known]
}

/** Notes which packs there are now, but for those that are condemned: nobody will miss them. */
export async function rememberPacks(repository: Repository): Promise<void> {
  const condemned = packsIn(repository.condemned.values())
  const ids: Uint8Array[] = []
  for await (const id of listPacks(repository)) if (!condemned.has(id)) ids.push(idBytes(id))
  await remember(repository, FILE, ids)
}

async function* listPacks({ backend }: Repository): AsyncGenerator<PackId, void, undefined> {
  for (const kind of ['data', 'meta'] as const)
    for await (const name of backend.list(kind)) if (name.length === 2 * ID_BYTES) yield parsePackId(name)
}
