import { forEachLimited } from '../base/async.ts'
import { isCode, throwIfInterrupted } from '../base/errors.ts'
import type { PackId } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import type { PackName } from '../format/pack.ts'
import type { IndexedPack } from '../repository/object-index.ts'
import type { Repository } from '../repository/repository.ts'
import { readSettings } from '../repository/settings.ts'
import type { DamageFound } from './damage-found.ts'
import { diagnosePack } from './heal-pack.ts'
import { listParity, loadParity, parityPercent } from './parity-files.ts'
import type { Note } from './problem.ts'

export interface CheckParityOptions {
  /** The packs whose parity is read whole; of the others, the header. */
  readonly whole: ReadonlySet<PackId>
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

const FILES_AT_ONCE = 2

/** Looks for damaged parity, and for packs that lack what the settings want; says of the damaged packs whether parity can heal them. */
export async function checkParity(
  repository: Repository,
  packs: readonly IndexedPack[],
  damage: DamageFound,
  options: CheckParityOptions,
): Promise<Note[]> {
  const parity = await listParity(repository)
  const wanted = await wantedPercent(repository, damage)
  const lacking = packs.filter(({ id }) => wanted > 0 && !parity.has(id))
  const { whole, progress = noProgress, signal } = options
  const present = packs.filter(({ id }) => parity.has(id))
  let filesDone = 0
  await forEachLimited(present, FILES_AT_ONCE, async (pack) => {
    throwIfInterrupted(signal)
    const percent = await percentOf(repository, pack, whole.has(pack.id))
    if (percent === 0) damage.parity(pack)
    else if (percent !== undefined && percent < wanted) lacking.push(pack)
    progress({ phase: 'checking parity', unit: 'packs', filesDone: ++filesDone, totalFiles: present.length })
  })
  return [...lackingNotes(lacking), ...(await healingNotes(repository, damage, parity, signal))]
}

/** What parity a pack has; 0 for one that is damaged, undefined if it has gone meanwhile. */
async function percentOf(repository: Repository, pack: PackName, isWhole: boolean): Promise<number | undefined> {
  try {
    const percent = await parityPercent(repository, pack)
    if (percent > 0 && (!isWhole || (await loadParity(repository, pack))?.isSound)) return percent
    await repository.backend.stat('parity', pack.id) // what is not there is not damaged
    return 0
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return undefined
    throw error
  }
}

async function wantedPercent({ backend }: Repository, damage: DamageFound): Promise<number> {
  try {
    return (await readSettings(backend)).parityPercent
  } catch (error) {
    if (!isCode(error, 'TRUNCATED', 'BAD_FORMAT', 'CORRUPT')) throw error
    damage.settings(error)
    return 0
  }
}

function lackingNotes(lacking: readonly IndexedPack[]): Note[] {
  if (lacking.length === 0) return []
  const lack = lacking.length === 1 ? 'one pack lacks' : `${lacking.length} packs lack`
  const packs = lacking.map(({ id }) => id)
  return [
    {
      type: 'parity-missing',
      packs,
      message: `${lack} the parity that is wanted; "chainkeep parity PERCENT" writes it`,
    },
  ]
}

async function healingNotes(
  repository: Repository,
  damage: DamageFound,
  parity: ReadonlySet<PackId>,
  signal: AbortSignal | undefined,
): Promise<Note[]> {
  const notes: Note[] = []
  for (const { packClass, id } of damage.packs.values()) {
    throwIfInterrupted(signal)
    const diagnosis = parity.has(id) ? await diagnosePack(repository, { packClass, id }) : undefined
    if (!diagnosis) continue
    const { canHeal, damaged } = diagnosis
    const what = `${packClass}/${id}: ${damaged.length === 1 ? 'one block is' : `${damaged.length} blocks are`} damaged`
    const message = canHeal
      ? `${what}; parity can heal it: "chainkeep repair packs" does`
      : `${what}, more than parity can heal`
    notes.push({ type: 'parity-heals', packClass, pack: id, blocks: damaged.length, canHeal, message })
  }
  return notes
}
