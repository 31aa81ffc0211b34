import { type CondemnedRecord, packsIn } from '../repository/condemned.ts'
import type { Lock } from '../repository/lock.ts'
import type { Repository } from '../repository/repository.ts'
import { type Session, type Sessions, survivingSessions } from '../repository/sessions.ts'
import { type Judgement, judgeCondemned } from './judge-condemned.ts'
import type { PackUsage } from './pack-usage.ts'
import type { PrunePlan } from './prune-plan.ts'

/** Packs that a later prune deletes, if no snapshot has come to need them. */
export interface PendingPacks {
  readonly packs: number
  readonly bytes: number
  /** When they have been condemned for long enough, in milliseconds since 1970 by the clock of whoever keeps the files … */
  readonly dueMs: number
  /** … and these must have ended. */
  readonly waitsFor: readonly Session[]
}

/** What is condemned, and still there; a later prune is supposed to let it stay for `graceMs`. */
export async function findPending(repository: Repository, lock: Lock, graceMs: number): Promise<PendingPacks[]> {
  const sessions = await survivingSessions(repository.backend, repository.environment, lock.name)
  const judgements = await judgeCondemned(repository, sessions, graceMs)
  return describe(repository, judgements, graceMs)
}

/** What will be condemned, and still there, once the plan has been carried out by a prune that deletes nothing younger than `graceMs`. */
export async function foreseePending(
  repository: Repository,
  { remove, rewrite }: PrunePlan,
  { judgements, sessions, graceMs }: { judgements: readonly Judgement[]; sessions: Sessions; graceMs: number },
): Promise<PendingPacks[]> {
  const pending = await describe(
    repository,
    judgements.filter(({ isDue }) => !isDue),
    graceMs,
  )
  const condemned: PackUsage[] = [...remove, ...rewrite.flatMap(({ packs }) => packs)]
  if (graceMs === 0 || condemned.length === 0) return pending
  const bytes = condemned.reduce((sum, pack) => sum + pack.bytes, 0)
  return [...pending, { packs: condemned.length, bytes, dueMs: sessions.nowMs + graceMs, waitsFor: sessions.alive }]
}

async function describe(
  repository: Repository,
  judgements: readonly Judgement[],
  graceMs: number,
): Promise<PendingPacks[]> {
  const index = await repository.index()
  const bytesOf = (record: CondemnedRecord): number[] =>
    [...packsIn([record])].flatMap((id) => index.pack(id)?.bytes ?? [])
  return judgements.flatMap(({ record, sinceMs, waitsFor }) => {
    const bytes = bytesOf(record)
    if (bytes.length === 0) return []
    const dueMs = record.stage === 'sentenced' ? sinceMs : sinceMs + graceMs
    return [{ packs: bytes.length, bytes: bytes.reduce((sum, each) => sum + each, 0), dueMs, waitsFor }]
  })
}
