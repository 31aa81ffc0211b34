import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Backend, FileKind } from '../backend/backend.ts'
import { ChainkeepError, fileError, isCode } from '../base/errors.ts'
import { formatTime } from '../base/local-time.ts'
import { markOf } from '../base/processes.ts'
import { encodeLock, type LockFile, type LockMode } from '../format/lock.ts'
import type { Environment } from './environment.ts'
import {
  leaveNote,
  listSessions,
  newLockName,
  RENEW_MS,
  type Session,
  type Sessions,
  survivingSessions,
} from './sessions.ts'

export type { LockMode } from '../format/lock.ts'

/** Shows others that somebody is at work (FORMAT.md §9). It keeps nobody out, but for one prune another. */
export interface Lock extends AsyncDisposable {
  /** What it is called; empty for a reader's that could not be written. */
  readonly name: string
  /** Packs were stored that nothing refers to yet: released like this, it leaves a note, and prune spares them for a while. */
  holdsUnpublished: boolean
  /**
   * Publishes a file, unless the lock is gone: a machine that slept, say, was taken for dead, and others rely on its
   * publishing nothing more. Then it rejects LOCKED; otherwise as `Backend.put`.
   */
  publish(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void>
  /** To be asked before other changes. Rejects LOCKED if the lock is gone. */
  confirm(): Promise<void>
  /** Why something has failed: LOCKED if a file was taken away because the lock is gone, else the error itself. Never rejects. */
  whyFailed(error: unknown): Promise<unknown>
  /** Never rejects. */
  release(): Promise<void>
}

/** Two who begin to prune at the same moment both give way, and try again. */
const PRUNE_ATTEMPTS = 5
const MAX_DELAY_MS = 200

/**
 * `knows` are the condemned records of which no pack will be used. Rejects BAD_FORMAT if there is a lock that cannot be read,
 * LOCKED for a second prune, naming who is at it. A reader's rejects never: one that cannot be written is done without.
 */
export async function acquireLock(
  backend: Backend,
  mode: LockMode,
  environment: Environment,
  knows: readonly string[] = [],
): Promise<Lock> {
  if (mode === 'read') return await hold(backend, mode, environment, knows).catch(() => NO_LOCK)
  if (mode === 'prune') refuseSecond(await listSessions(backend, environment))
  for (let attempt = 1; ; attempt++) {
    const lock = await hold(backend, mode, environment, knows)
    try {
      if (mode === 'write') {
        await listSessions(backend, environment, lock.name)
        return lock
      }
      const others = await survivingSessions(backend, environment, lock.name)
      if (!otherPrune(others)) return lock
      if (attempt === PRUNE_ATTEMPTS) refuseSecond(others)
    } catch (error) {
      await lock.release()
      throw error
    }
    await lock.release()
    await sleep(randomInt(MAX_DELAY_MS))
  }
}

const otherPrune = ({ alive }: Sessions): Session | undefined => alive.find(({ mode }) => mode === 'prune')

function refuseSecond(others: Sessions): void {
  const other = otherPrune(others)
  if (!other) return
  const { mode, pid, host } = other
  throw new ChainkeepError('LOCKED', `${describeSession(other)}; try again when it has finished`, { mode, pid, host })
}

/** For people: who, what and since when, in local time. */
export function describeSession({ mode, pid, host, sinceMs }: LockFile): string {
  if (pid === 0) return 'somebody whose lock cannot be read may be writing to the repository'
  const work = { read: 'reading', write: 'writing to', prune: 'pruning', interrupted: 'no longer writing to' }[mode]
  return `process ${pid} on ${host} is ${work} the repository (since ${formatTime(sinceMs)})`
}

async function hold(
  backend: Backend,
  mode: LockMode,
  environment: Environment,
  knows: readonly string[],
): Promise<Lock> {
  const name = newLockName()
  const { writer } = backend
  const file: LockFile = { mode, ...markOf(environment.host), sinceMs: await backend.clock(), writer, knows }
  if (mode === 'read') await backend.putBriefly('locks', name, [encodeLock(file)])
  else await backend.put('locks', name, [encodeLock(file)])
  let touching: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    touching = backend.touch('locks', name).catch(() => {}) // tried again at the next tick; lost, it stays lost
  }, RENEW_MS)
  timer.unref()

  async function confirm(): Promise<void> {
    try {
      await backend.get('locks', name) // opened, lest a network file system answer from memory
    } catch (error) {
      throw isCode(error, 'NOT_FOUND') ? lost(error) : error
    }
  }
  async function whyFailed(error: unknown): Promise<unknown> {
    if (!isCode(error, 'NOT_FOUND')) return error
    return await confirm().then(
      () => error, // the folder is missing, say
      (lostOrUnknown: unknown) => lostOrUnknown,
    )
  }
  const lost = (cause: unknown): ChainkeepError => {
    const reason = 'this process was taken for dead, since its lock was not renewed for half an hour; try again'
    return new ChainkeepError('LOCKED', reason, { mode, lost: true }, cause)
  }
  let released: Promise<void> | undefined
  async function release(): Promise<void> {
    clearInterval(timer)
    await touching
    if (lock.holdsUnpublished) await note().catch(() => {}) // on a full disk, say: then the next prune frees more
    await removeLock(backend, name, environment)
  }
  const note = async (): Promise<void> => leaveNote(backend, file, await backend.clock())
  const lock: Lock = {
    name,
    holdsUnpublished: false,
    confirm,
    whyFailed,
    async publish(kind, fileName, parts) {
      const unpublished = await backend.begin(kind)
      try {
        await unpublished.append(parts)
        await confirm() // FORMAT.md §9: only now that the file can be taken away
        await unpublished.publish(fileName)
      } catch (error) {
        throw await whyFailed(error)
      } finally {
        await unpublished.discard()
      }
    },
    release: () => (released ??= release()),
    [Symbol.asyncDispose]: () => lock.release(),
  }
  return lock
}

/** Never rejects: it would hide why the work has failed, or that it is done. */
async function removeLock(backend: Backend, name: string, { notice }: Environment): Promise<void> {
  await backend.remove('locks', name).catch((error: unknown) => {
    const reason = fileError(`cannot remove the lock ${name}`, error).message
    notice(`${reason}; it counts no more once this process has ended`)
  })
}

/** Of a reader where nothing can be written: a prune elsewhere does not see it. */
const NO_LOCK: Lock = {
  name: '',
  holdsUnpublished: false,
  publish: () => Promise.reject(new RangeError('a reader publishes nothing')),
  confirm: () => Promise.reject(new RangeError('a reader changes nothing')),
  whyFailed: async (error) => error,
  release: async () => {},
  [Symbol.asyncDispose]: async () => {},
}
