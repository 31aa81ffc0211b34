import { randomBytes } from 'node:crypto'
import type { Backend } from '../backend/backend.ts'
import { isCode } from '../base/errors.ts'
import { fateOf, markOf } from '../base/processes.ts'
import { decodeLock, encodeLock, type LockFile, MAX_LOCK_BYTES } from '../format/lock.ts'
import type { Environment } from './environment.ts'
import { readBounded } from './read-bounded.ts'

/** A lock shows that it is held by being touched this often; a process that cannot be asked is taken for dead after STALE_MS. */
export const RENEW_MS: number = 5 * 60_000
const STALE_MS = 30 * 60_000

/** Somebody who is, or was, at work in the repository. */
export interface Session extends LockFile {
  /** Of its lock. */
  readonly name: string
  /** When it was last touched. */
  readonly seenMs: number
}

export interface Sessions {
  readonly alive: readonly Session[]
  readonly dead: readonly Session[]
  /** What writers have left that did not come to an end. */
  readonly interrupted: readonly Session[]
  /** All these times are by the clock of whoever keeps the files, and this is when they were looked at. */
  readonly nowMs: number
}

/** Who else is at work. Rejects UNSUPPORTED for a lock of another version: nobody knows what its holder relies on. */
export async function listSessions(backend: Backend, environment: Environment, own?: string): Promise<Sessions> {
  const nowMs = await backend.clock()
  const here = markOf(environment.host)
  const sessions = { alive: [] as Session[], dead: [] as Session[], interrupted: [] as Session[], nowMs }
  for await (const name of backend.list('locks')) {
    const session = name === own ? undefined : await readSession(backend, name)
    if (!session) continue
    if (session.seenMs > nowMs + STALE_MS) await touch(backend, session) // a clock was wrong: reckon from now on
    const fate = session.mode === 'interrupted' ? 'interrupted' : fateOf(session, here)
    if (fate === 'interrupted') sessions.interrupted.push(session)
    else if (fate === 'gone' || (fate === 'unknown' && nowMs - session.seenMs > STALE_MS)) sessions.dead.push(session)
    else sessions.alive.push(session)
  }
  return sessions
}

/** The same, once those are expelled that are dead: nobody needs to wait for them any more. */
export async function survivingSessions(backend: Backend, environment: Environment, own?: string): Promise<Sessions> {
  const sessions = await listSessions(backend, environment, own)
  for (const session of sessions.dead) {
    await expel(backend, session)
    if (session.mode !== 'read')
      environment.notice(`removed the lock that process ${session.pid} on ${session.host} left behind`)
  }
  return sessions
}

/**
 * Ends the session of a process that is taken for dead, so that it can publish nothing more should it still live (FORMAT.md
 * §9): first its lock goes, without which no put is confirmed, and then what it has confirmed and not published.
 */
async function expel(backend: Backend, session: Session): Promise<void> {
  if (session.mode === 'write' && session.pid > 0) await leaveNote(backend, session, session.seenMs + RENEW_MS)
  await backend.remove('locks', session.name)
  for await (const name of backend.list('tmp')) if (name.startsWith(session.writer)) await backend.remove('tmp', name)
}

/** Notes that a writer has ended without publishing what it stored. */
export async function leaveNote(backend: Backend, lock: LockFile, untilMs: number): Promise<void> {
  await backend.put('locks', newLockName(), [encodeLock({ ...lock, mode: 'interrupted', untilMs, knows: [] })])
}

export const newLockName = (): string => randomBytes(16).toString('hex')

async function readSession(backend: Backend, name: string): Promise<Session | undefined> {
  try {
    const { modifiedMs: seenMs } = await backend.stat('locks', name)
    try {
      const bytes = await readBounded(backend, 'locks', name, MAX_LOCK_BYTES)
      return { ...decodeLock(bytes, `locks/${name}`), name, seenMs }
    } catch (error) {
      if (!isCode(error, 'BAD_FORMAT', 'TRUNCATED')) throw error
      return { ...UNKNOWN, sinceMs: seenMs, name, seenMs }
    }
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return undefined // released meanwhile
    throw error
  }
}

/** Of a damaged lock: a power cut leaves such. Its holder may be a writer, of whom nothing is known. */
const UNKNOWN: Omit<LockFile, 'sinceMs'> = {
  mode: 'write',
  host: 'an unknown host',
  pid: 0,
  machine: '',
  boot: '',
  space: '',
  started: '',
  writer: 'unknown',
  knows: [],
}

async function touch(backend: Backend, { name }: Session): Promise<void> {
  try {
    await backend.touch('locks', name)
  } catch (error) {
    if (!isCode(error, 'NOT_FOUND')) throw error
  }
}
