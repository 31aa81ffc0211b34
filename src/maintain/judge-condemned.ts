import { isCode } from '../base/errors.ts'
import type { CondemnedRecord } from '../repository/condemned.ts'
import type { Repository } from '../repository/repository.ts'
import type { Session, Sessions } from '../repository/sessions.ts'

/** How a record of condemned packs stands. */
export interface Judgement {
  readonly record: CondemnedRecord
  /** By the clock of whoever keeps the files. */
  readonly sinceMs: number
  /** Those at work who may rely on its packs. */
  readonly waitsFor: readonly Session[]
  /** Its packs may go, unless a snapshot has come to need them. */
  readonly isDue: boolean
}

/** Records without a file are passed over: somebody else is done with them. */
export async function judgeCondemned(
  { backend, condemned }: Repository,
  { alive, nowMs }: Sessions,
  graceMs: number,
): Promise<Judgement[]> {
  const judgements: Judgement[] = []
  for (const record of condemned.values()) {
    const found = await statOrNothing(backend, record.name)
    if (!found) continue
    const isAhead = found.modifiedMs > nowMs + MAX_AHEAD_MS
    if (isAhead) await backend.touch('condemned', record.name) // a clock was wrong: its time is reckoned from now on
    const sinceMs = isAhead ? nowMs : found.modifiedMs
    const waitsFor = alive.filter((session) => !knows(session, record))
    const isOld = record.stage === 'sentenced' || nowMs - sinceMs >= graceMs
    judgements.push({ record, sinceMs, waitsFor, isDue: isOld && waitsFor.length === 0 })
  }
  return judgements
}

/** Whether the holder of a lock relies on no pack of a record. */
export const knows = ({ knows }: Session, { name }: CondemnedRecord): boolean => knows.includes(name)

const MAX_AHEAD_MS = 60_000

async function statOrNothing(
  backend: Repository['backend'],
  name: string,
): Promise<{ readonly modifiedMs: number } | undefined> {
  try {
    return await backend.stat('condemned', name)
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return undefined
    throw error
  }
}
