import { ID_BYTES, idBytes, type ObjectId, objectIdAt, type PackId, packIdAt, parsePackId } from '../base/ids.ts'
import { packsIn } from './condemned.ts'
import { recall, remember } from './remembered.ts'
import type { Repository } from './repository.ts'

/** Items of u8 type | id: packs that this machine has seen in the repository, and trees that were whole with these. */
const FILE = 'packs'
const TYPE = { pack: 0x50, tree: 0x54 } as const
/** Each backup adds one, and only the latest of each source is asked for. */
const MOST_TREES = 1000

interface Known {
  readonly packs: readonly PackId[]
  /** While none of `packs` is gone, all that they need is there. */
  readonly wholeTrees: readonly ObjectId[]
}

/** Packs that are gone and that this machine has seen in the repository. */
export async function vanishedPacks(repository: Repository): Promise<PackId[]> {
  return await goneOf(repository, recallKnown(repository))
}

/**
 * Whether all that a tree needs is there, as far as this machine knows without looking: so that a backup that finds nothing
 * changed, and opens no index, still notices when something that its parent needs may be gone.
 */
export async function isKnownWhole(repository: Repository, tree: ObjectId): Promise<boolean> {
  const known = recallKnown(repository)
  return known.wholeTrees.includes(tree) && (await goneOf(repository, known)).length === 0
}

/**
 * Notes which packs there are now, but for those that are condemned, since nobody will miss them; and trees that are whole with
 * these. If something is gone of what was known, those that were known to be whole must be looked at again, and those given
 * `unlessGone` as well.
 */
export async function rememberPacks(
  repository: Repository,
  wholeTrees: readonly ObjectId[],
  { unlessGone = false }: { readonly unlessGone?: boolean } = {},
): Promise<void> {
  const known = recallKnown(repository)
  const condemned = packsIn(repository.condemned.values())
  const there = new Set<PackId>()
  for await (const id of listPacks(repository)) there.add(id)
  const isGone = known.packs.some((id) => !there.has(id))
  const trees = new Set([...(isGone ? [] : known.wholeTrees), ...(isGone && unlessGone ? [] : wholeTrees)])
  const packs = [...there].filter((id) => !condemned.has(id))
  await remember(repository, FILE, [
    ...packs.map((id) => item(TYPE.pack, id)),
    ...Array.from(trees, (id) => item(TYPE.tree, id)).slice(-MOST_TREES),
  ])
}

const item = (type: number, id: PackId | ObjectId): Uint8Array => Buffer.concat([Uint8Array.of(type), idBytes(id)])

function recallKnown(repository: Repository): Known {
  const items = recall(repository, FILE, 1 + ID_BYTES)
  const idsOf = (type: number): Uint8Array[] => items.flatMap((each) => (each[0] === type ? [each.subarray(1)] : []))
  return {
    packs: idsOf(TYPE.pack).map((id) => packIdAt(id)),
    wholeTrees: idsOf(TYPE.tree).map((id) => objectIdAt(id)),
  }
}

async function goneOf(repository: Repository, { packs }: Known): Promise<PackId[]> {
  const gone = new Set(packs)
  if (gone.size === 0) return []
  for await (const id of listPacks(repository)) gone.delete(id)
  return [...gone]
}

async function* listPacks({ backend }: Repository): AsyncGenerator<PackId, void, undefined> {
  for (const kind of ['data', 'meta'] as const)
    for await (const name of backend.list(kind)) if (name.length === 2 * ID_BYTES) yield parsePackId(name)
}
