import { ChainkeepError, isCode, throwIfInterrupted } from '../base/errors.ts'
import type { PackId } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import type { PackName } from '../format/pack.ts'
import { MAX_PARITY_PERCENT } from '../format/parity.ts'
import { isUnreadable } from '../repository/damage.ts'
import { measureParity } from '../repository/measure-parity.ts'
import type { Repository } from '../repository/repository.ts'
import { readSettings, writeSettings } from '../repository/settings.ts'
import { listParity, parityPercent } from './parity-files.ts'

export interface ParityState {
  /** What packs are to have. */
  readonly percent: number
  readonly packs: number
  /** Packs that have as much, or more. */
  readonly protectedPacks: number
  /** Of parity, on the disk. */
  readonly bytes: number
}

/** How much parity there is, by headers and lengths. */
export async function parityState(repository: Repository): Promise<ParityState> {
  const { backend } = repository
  const index = await repository.index()
  await index.refresh()
  const { parityPercent: percent } = await readSettings(backend)
  const parity = await listParity(repository)
  const packs = [...index.packs()]
  let protectedPacks = 0
  for (const pack of packs) if ((await percentOf(repository, pack, parity)) >= Math.max(1, percent)) protectedPacks++
  return { percent, packs: packs.length, protectedPacks, bytes: await measureParity(backend) }
}

export interface SetParityOptions {
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

export interface SetParityResult {
  readonly percent: number
  /** Packs that parity was written for, and its length. */
  readonly written: number
  readonly bytesWritten: number
  /** Files of parity that were removed. */
  readonly removed: number
  /** Packs that cannot be protected, because they are damaged themselves. */
  readonly damaged: readonly (PackName & { readonly message: string })[]
}

/**
 * Sets how much parity packs have, from now on, and writes it for those that have less, each of which is read and checked before;
 * 0 removes all parity. Stopped anywhere, it goes on where it stopped when called again. Rejects LOCKED, INTERRUPTED.
 */
export async function setParity(
  repository: Repository,
  percent: number,
  { progress = noProgress, signal }: SetParityOptions = {},
): Promise<SetParityResult> {
  if (!(Number.isInteger(percent) && percent >= 0 && percent <= MAX_PARITY_PERCENT))
    throw new ChainkeepError('USAGE', `parity is a whole number of percents from 0 to ${MAX_PARITY_PERCENT}`)
  const { backend } = repository
  await using lock = await repository.lock(percent > 0 ? 'write' : 'prune')
  await lock.confirm()
  await writeSettings(backend, { parityPercent: percent })
  const parity = await listParity(repository)
  if (percent === 0) {
    for (const id of parity) await backend.remove('parity', id)
    return { percent, written: 0, bytesWritten: 0, removed: parity.size, damaged: [] }
  }
  const index = await repository.index()
  await index.refresh()
  const packs: readonly PackName[] = [...index.packs(), ...index.unreadablePacks]
  const damaged: (PackName & { message: string })[] = []
  let [written, bytesWritten] = [0, 0]
  for (const [filesDone, { packClass, id }] of packs.entries()) {
    throwIfInterrupted(signal)
    progress({ phase: 'writing parity', unit: 'packs', filesDone, totalFiles: packs.length, bytesDone: bytesWritten })
    if ((await percentOf(repository, { packClass, id }, parity)) >= percent) continue
    try {
      bytesWritten += await repository.protect({ packClass, id }, { percent, verify: true })
      written++
    } catch (error) {
      if (isCode(error, 'NOT_FOUND')) continue // it has gone meanwhile
      if (!isUnreadable(error) || error.details.kind === 'parity') throw error // what was written is not what is damaged
      damaged.push({ packClass, id, message: error.message })
    }
  }
  return { percent, written, bytesWritten, removed: 0, damaged }
}

/** 0 for a pack without parity, and for one whose parity has gone since it was listed. */
async function percentOf(repository: Repository, pack: PackName, parity: ReadonlySet<PackId>): Promise<number> {
  if (!parity.has(pack.id)) return 0
  try {
    return await parityPercent(repository, pack)
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return 0
    throw error
  }
}
