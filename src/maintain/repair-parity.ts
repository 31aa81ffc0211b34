import { throwIfInterrupted } from '../base/errors.ts'
import type { PackId } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import type { PackName } from '../format/pack.ts'
import type { Repository } from '../repository/repository.ts'
import { readSettings } from '../repository/settings.ts'
import { listParity, loadParity } from './parity-files.ts'

export interface RepairParityOptions {
  /** Say what is damaged, and change nothing. */
  readonly dryRun: boolean
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

/**
 * Writes damaged parity again, of packs that are sound: all but `passedOver`. Nothing is left of what cannot even be told how
 * much it was, where none is wanted. Reads all parity. Returns whose it was.
 */
export async function repairParity(
  repository: Repository,
  passedOver: ReadonlySet<PackId>,
  { dryRun, progress = noProgress, signal }: RepairParityOptions,
): Promise<PackName[]> {
  const { backend } = repository
  const index = await repository.index()
  const parity = await listParity(repository)
  const packs = [...index.packs()].filter(({ id }) => parity.has(id) && !passedOver.has(id))
  const repaired: PackName[] = []
  for (const [filesDone, { packClass, id }] of packs.entries()) {
    throwIfInterrupted(signal)
    progress({ phase: 'reading parity', unit: 'packs', filesDone, totalFiles: packs.length })
    const found = await loadParity(repository, { packClass, id })
    if (found?.isSound) continue
    repaired.push({ packClass, id })
    if (dryRun) continue
    const percent = found?.header.percent ?? (await readSettings(backend)).parityPercent
    if (percent > 0) await repository.protect({ packClass, id }, { percent, verify: true })
    else await backend.remove('parity', id)
  }
  return repaired
}
