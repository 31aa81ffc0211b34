import type { Backend } from '../backend/backend.ts'
import { forEachLimited } from '../base/async.ts'
import { ChainkeepError, isCode, throwIfInterrupted } from '../base/errors.ts'
import { type PackId, parsePackId } from '../base/ids.ts'
import type { Progress } from '../base/progress.ts'
import type { PackClass, PackEntry } from '../format/pack.ts'
import type { IndexStore } from './index-store.ts'
import { packLength, readPackTrailer } from './pack-trailer.ts'

export interface UnreadablePack {
  readonly id: PackId
  readonly packClass: PackClass
  readonly error: ChainkeepError
}

interface CatchUpOptions {
  readonly backend: Backend
  /** Packs that are about to be deleted. */
  readonly except: ReadonlySet<PackId>
  readonly notice: (text: string) => void
  readonly progress: Progress
  readonly signal: AbortSignal | undefined
}

const TRAILERS_AT_ONCE = 8

/**
 * Makes the store agree with the backend: packs that are gone are set aside first, then unknown ones read in, a few
 * trailers in memory at a time. Returns those that could not be read. Rejects errors of the backend and INTERRUPTED.
 */
export async function catchUp(store: IndexStore, options: CatchUpOptions): Promise<UnreadablePack[]> {
  const { backend, notice, progress, signal } = options
  const { unknown, gone } = await compare(store, options)
  for (const id of gone) await store.lose(id)
  if (unknown.length > 0 && store.whyEmpty !== undefined) {
    const packs = unknown.length === 1 ? 'one pack' : `${unknown.length} packs`
    notice(store.whyEmpty === '' ? `building the index from ${packs}` : `${store.whyEmpty}: building one from ${packs}`)
  }

  const unreadable: UnreadablePack[] = []
  let done = 0
  await forEachLimited(unknown, TRAILERS_AT_ONCE, async ({ id, packClass }) => {
    throwIfInterrupted(signal)
    const entries = await tryRead(backend, packClass, id)
    if (entries instanceof ChainkeepError) unreadable.push({ id, packClass, error: entries })
    else if (entries) await store.add(id, packClass, packLength(entries), entries)
    progress({ phase: 'reading packs', unit: 'packs', filesDone: ++done, totalFiles: unknown.length })
  })
  return unreadable
}

async function compare(
  store: IndexStore,
  { backend, except }: CatchUpOptions,
): Promise<{ unknown: { id: PackId; packClass: PackClass }[]; gone: Set<PackId> }> {
  const gone = new Set<PackId>()
  for (const { id } of store.packs.values()) gone.add(id) // before listing: a pack added meanwhile is not gone
  const unknown: { id: PackId; packClass: PackClass }[] = []
  for (const packClass of ['data', 'meta'] as const)
    for await (const name of backend.list(packClass)) {
      if (name.length !== PACK_NAME_LENGTH) continue // not ours
      const id = parsePackId(name)
      if (!gone.delete(id) && !except.has(id)) unknown.push({ id, packClass })
    }
  return { unknown, gone }
}

const PACK_NAME_LENGTH = 64

/** Nothing if the pack has been deleted since it was listed. */
async function tryRead(
  backend: Backend,
  packClass: PackClass,
  id: PackId,
): Promise<PackEntry[] | ChainkeepError | undefined> {
  try {
    return await readPackTrailer(backend, packClass, id)
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return undefined
    if (error instanceof ChainkeepError) return error
    throw error
  }
}
