import { randomBytes } from 'node:crypto'
import type { Backend } from '../backend/backend.ts'
import { ChainkeepError, fileError, isCode } from '../base/errors.ts'
import { isAlive } from '../base/processes.ts'
import { decodeLock, encodeLock, type LockFile, type LockMode, MAX_LOCK_BYTES } from '../format/lock.ts'
import type { Environment } from './environment.ts'
import { readBounded } from './read-bounded.ts'

export type { LockMode } from '../format/lock.ts'

/** A lock is renewed this often, and taken for abandoned when it has not been for STALE_MS. */
const RENEW_MS = 5 * 60_000
const STALE_MS = 30 * 60_000

export interface Lock extends AsyncDisposable {
  /**
   * To be asked before what must not be done without the lock. Rejects LOCKED if it is gone: a machine that slept, say, has
   * not renewed it, and somebody else took it for abandoned.
   */
  confirm(): Promise<void>
  /** Never rejects. */
  release(): Promise<void>
}

/**
 * Any number of writers, or one prune (FORMAT.md §9). Locks of dead processes of this host, and those not renewed for half
 * an hour, are removed. Rejects LOCKED, naming who holds it.
 */
export async function acquireLock(backend: Backend, mode: LockMode, environment: Environment): Promise<Lock> {
  let name = await putLock(backend, mode, environment)
  try {
    await refuseConflicts(backend, mode, name, environment)
  } catch (error) {
    await removeLock(backend, name, environment)
    throw error
  }
  let renewing: Promise<void> = Promise.resolve()
  const renew = async (): Promise<void> => {
    const old = name
    await backend.stat('locks', old) // rejects if it is lost: it must stay so
    name = await putLock(backend, mode, environment)
    await backend.remove('locks', old)
  }
  const timer = setInterval(() => {
    renewing = renew().catch(() => {}) // tried again at the next tick; the lock outlives six of them
  }, RENEW_MS)
  timer.unref()
  const confirm = async (): Promise<void> => {
    await renewing
    try {
      await backend.stat('locks', name)
    } catch (error) {
      if (!isCode(error, 'NOT_FOUND')) throw error
      const reason = 'the lock was lost, since it was not renewed for half an hour; try again'
      throw new ChainkeepError('LOCKED', reason, { mode }, error)
    }
  }
  let released = false
  const release = async (): Promise<void> => {
    if (released) return
    released = true
    clearInterval(timer)
    await renewing
    await removeLock(backend, name, environment)
  }
  return { confirm, release, [Symbol.asyncDispose]: release }
}

/** Never rejects: it would hide why the work has failed, or that it is done. */
async function removeLock(backend: Backend, name: string, { notice }: Environment): Promise<void> {
  await backend.remove('locks', name).catch((error: unknown) => {
    notice(
      `${fileError(`cannot remove the lock ${name}`, error).message}; it counts no more once this process has ended`,
    )
  })
}

async function putLock(backend: Backend, mode: LockMode, { host, now }: Environment): Promise<string> {
  const name = randomBytes(16).toString('hex')
  await backend.put('locks', name, [encodeLock({ mode, host, pid: process.pid, timeMs: now() })])
  return name
}

/** Both sides write first and look second, so that of two conflicting ones at least one sees the other. */
async function refuseConflicts(backend: Backend, mode: LockMode, own: string, environment: Environment): Promise<void> {
  let vanished: boolean
  do {
    vanished = false
    for await (const name of backend.list('locks')) {
      if (name === own) continue
      const lock = await readLock(backend, name)
      if (lock) await refuseConflict(backend, mode, name, lock, environment)
      else vanished = true // released, or renewed under a name that was not there to be listed: look again
    }
  } while (vanished)
}

async function refuseConflict(
  backend: Backend,
  mode: LockMode,
  name: string,
  lock: LockFile,
  environment: Environment,
): Promise<void> {
  if (mode === 'write' && lock.mode === 'write') return
  if (isStale(lock, environment)) {
    environment.notice(`removed the lock that process ${lock.pid} on ${lock.host} left behind`)
    await backend.remove('locks', name)
    return
  }
  const work = lock.mode === 'prune' ? 'pruning' : 'writing to'
  const since = new Date(lock.timeMs).toLocaleString('sv-SE') // as 2026-11-21 07:00:00, in local time
  throw new ChainkeepError(
    'LOCKED',
    `process ${lock.pid} on ${lock.host} is ${work} the repository (seen ${since}); try again when it has finished`,
    { ...lock },
  )
}

async function readLock(backend: Backend, name: string): Promise<LockFile | undefined> {
  try {
    return decodeLock(await readBounded(backend, 'locks', name, MAX_LOCK_BYTES), `locks/${name}`)
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return undefined
    throw error
  }
}

function isStale(lock: LockFile, { host, now }: Environment): boolean {
  if (lock.host === host && !isAlive(lock.pid)) return true
  return now() - lock.timeMs > STALE_MS
}
