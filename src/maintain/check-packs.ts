import { forEachLimited } from '../base/async.ts'
import { type ChainkeepError, isCode, throwIfInterrupted } from '../base/errors.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import type { ObjectKind } from '../format/object.ts'
import type { PackEntry, PackName } from '../format/pack.ts'
import { isDamage, isUnreadable } from '../repository/damage.ts'
import type { IndexedPack, ObjectIndex } from '../repository/object-index.ts'
import { packLength, readPackTrailer } from '../repository/pack-trailer.ts'
import type { Repository } from '../repository/repository.ts'

export interface CheckPacksOptions {
  /** `bytes` is how long the pack's file is, if that differs from what was written. */
  readonly onDamaged: (pack: PackName, error: ChainkeepError, bytes: number | undefined) => void
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

const TRAILERS_AT_ONCE = 8

/**
 * Reads the header, trailer and footer of every pack that the index knows and compares them with it. Returns of how many packs
 * the index says something else than they themselves. A pack that has gone meanwhile is passed over.
 */
export async function checkPacks(
  repository: Repository,
  { onDamaged, progress = noProgress, signal }: CheckPacksOptions,
): Promise<number> {
  const index = await repository.index()
  const packs = [...index.packs()]
  let disagreements = 0
  let done = 0
  await forEachLimited(packs, TRAILERS_AT_ONCE, async (pack) => {
    throwIfInterrupted(signal)
    const entries = await readTrailer(repository, pack, onDamaged)
    if (entries && !(await agrees(index, pack, entries))) disagreements++
    progress({ phase: 'checking packs', unit: 'packs', filesDone: ++done, totalFiles: packs.length })
  })
  return disagreements
}

async function readTrailer(
  { backend }: Repository,
  pack: IndexedPack,
  onDamaged: CheckPacksOptions['onDamaged'],
): Promise<PackEntry[] | undefined> {
  try {
    return await readPackTrailer(backend, pack.packClass, pack.id)
  } catch (error) {
    if (!isUnreadable(error)) throw error
    if (isCode(error, 'NOT_FOUND')) return undefined
    const bytes = isDamage(error) ? (await backend.stat(pack.packClass, pack.id)).size : pack.bytes
    onDamaged(pack, error, bytes === pack.bytes ? undefined : bytes)
    return undefined
  }
}

/** Whether look-ups of the pack's objects lead there, or to another pack that has them, too. */
async function agrees(index: ObjectIndex, pack: IndexedPack, entries: readonly PackEntry[]): Promise<boolean> {
  if (pack.objects !== entries.length || pack.bytes !== packLength(entries)) return false
  for (const [kind, numbers] of byKind(entries)) {
    const locations = await index.locate(kind, Buffer.concat(numbers.map((number) => entries[number]!.id)))
    for (const [at, number] of numbers.entries()) {
      const [location, entry] = [locations[at], entries[number]!]
      if (!location || location.plainLength !== entry.plainLength) return false
      if (location.pack !== pack.id) continue
      const isSame =
        location.offset === entry.offset &&
        location.storedLength === entry.storedLength &&
        location.codec === entry.codec &&
        location.ordinal === pack.firstOrdinal + number
      if (!isSame && !entriesAlike(entries, number, location.ordinal - pack.firstOrdinal)) return false
    }
  }
  return true
}

function byKind(entries: readonly PackEntry[]): Map<ObjectKind, number[]> {
  const numbers = new Map<ObjectKind, number[]>()
  for (const [number, { kind }] of entries.entries()) {
    const list = numbers.get(kind)
    if (list) list.push(number)
    else numbers.set(kind, [number])
  }
  return numbers
}

/** Whether a pack that holds an object twice has it at both places. */
function entriesAlike(entries: readonly PackEntry[], a: number, b: number): boolean {
  const [first, second] = [entries[a], entries[b]]
  return !!first && !!second && a !== b && Buffer.compare(first.id, second.id) === 0
}
