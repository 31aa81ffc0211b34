import { spawnSync } from 'node:child_process'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { encodeLock, type LockFile, type LockMode, MAX_LOCK_BYTES } from '../../src/format/lock.ts'
import type { Environment } from '../../src/repository/environment.ts'
import { acquireLock } from '../../src/repository/lock.ts'
import { type MemoryFiles, memoryBackend } from '../helpers/memory-backend.ts'
import { testEnvironment } from '../helpers/repository.ts'

const MODES = ['write', 'prune'] as const
const MINUTE = 60_000
/** The id of a process that has ended. */
const DEAD = spawnSync(process.execPath, ['-e', '']).pid

afterEach(() => void vi.useRealTimers())

/** A repository that may be locked from the host called `host`, at a time of choice. */
function fixture(host = 'host-1') {
  const backend = memoryBackend()
  const clock = { now: 1_700_000_000_000 }
  const environment = { ...testEnvironment('/nowhere', host), now: () => clock.now }
  return { backend, clock, environment, acquire: (mode: LockMode) => acquireLock(backend, mode, environment) }
}

const locksIn = (backend: MemoryFiles): LockFile[] =>
  [...backend.files.values()].map((bytes) => JSON.parse(Buffer.from(bytes).toString()) as LockFile)

/** Puts a lock of somebody else there. */
function leave(backend: MemoryFiles, lock: Partial<LockFile>): void {
  const whole = { mode: 'write', host: 'host-2', pid: 1, timeMs: 1_700_000_000_000, ...lock } as const
  backend.files.set('locks/ab', encodeLock(whole))
}

describe('who keeps whom out', () => {
  test.each(MODES.flatMap((held) => MODES.map((asked) => [held, asked] as const)))(
    'while one is at %s, another asks for %s',
    async (held, asked) => {
      const { backend, acquire } = fixture()
      const first = await acquire(held)
      const second = acquire(asked)
      if (held === 'write' && asked === 'write') {
        await (await second).release()
      } else
        await expect(second).rejects.toMatchObject({
          code: 'LOCKED',
          message: expect.stringContaining(`process ${process.pid} on host-1`),
          details: { mode: held, pid: process.pid, host: 'host-1' },
        })
      expect(locksIn(backend)).toHaveLength(1) // who was refused left nothing
      await first.release()
      expect(locksIn(backend)).toEqual([])
      await (await acquire(asked)).release()
    },
  )

  test('when both ask at once, never both are let in', async () => {
    for (let delays = 0; delays < 64; delays++) {
      const { backend, environment } = fixture()
      // Every call of either side takes its time or does not.
      const slow = (bits: number): Backend => ({
        ...backend,
        put: async (...file) => {
          for (let i = bits & 3; i > 0; i--) await Promise.resolve()
          await backend.put(...file)
        },
        async *list(kind) {
          for (let i = bits >> 2; i > 0; i--) await Promise.resolve()
          yield* backend.list(kind)
        },
      })
      const asked = await Promise.allSettled([
        acquireLock(slow(delays & 7), 'write', environment),
        acquireLock(slow(delays >> 3), 'prune', environment),
      ])
      const letIn = asked.filter(({ status }) => status === 'fulfilled')
      expect(letIn.length).toBeLessThan(2)
      expect(locksIn(backend)).toHaveLength(letIn.length)
    }
  })

  test('a lock that cannot be read keeps everybody out, and is named', async () => {
    for (const mode of MODES) {
      const { backend, acquire } = fixture()
      backend.files.set('locks/ab', Buffer.from('{"version":'))
      await expect(acquire(mode)).rejects.toMatchObject({
        code: 'BAD_FORMAT',
        message: expect.stringContaining('locks/ab'),
      })
      expect([...backend.files.keys()]).toEqual(['locks/ab'])
    }
  })

  test('a file that is too large to be a lock keeps everybody out, is named, and is not read', async () => {
    const { backend, acquire } = fixture()
    backend.files.set('locks/ab', Buffer.alloc(MAX_LOCK_BYTES + 1, ' '))
    const get = vi.spyOn(backend, 'get')
    await expect(acquire('write')).rejects.toMatchObject({
      code: 'BAD_FORMAT',
      message: 'locks/ab: 65537 bytes long, where 65536 are the most',
    })
    expect(get).not.toHaveBeenCalled()
  })

  test('a lock that is renewed between being listed and read still counts', async () => {
    const { backend, environment } = fixture()
    leave(backend, {})
    const renewing: Backend = {
      ...backend,
      get: async (kind, name) => {
        const bytes = backend.files.get('locks/ab')
        if (name === 'ab' && bytes) {
          backend.files.set('locks/cd', bytes)
          backend.files.delete('locks/ab')
        }
        return backend.get(kind, name)
      },
    }
    await expect(acquireLock(renewing, 'prune', environment)).rejects.toMatchObject({ code: 'LOCKED' })
  })

  test('a lock that is released between being listed and read does not', async () => {
    const { backend, environment } = fixture()
    leave(backend, {})
    const releasing: Backend = {
      ...backend,
      get: async (kind, name) => {
        backend.files.delete('locks/ab')
        return backend.get(kind, name)
      },
    }
    await (await acquireLock(releasing, 'prune', environment)).release()
  })
})

describe('an abandoned lock is removed, with a notice', () => {
  const taken = async (lock: Partial<LockFile>, environment: Partial<Environment> = {}): Promise<boolean> => {
    const { backend, environment: usual } = fixture()
    leave(backend, { mode: 'prune', ...lock })
    const outcome = await acquireLock(backend, 'write', { ...usual, ...environment }).catch((error: unknown) => error)
    if (outcome instanceof Error) {
      expect(outcome).toMatchObject({ code: 'LOCKED' })
      expect(usual.notices).toEqual([])
      return false
    }
    expect(backend.files.has('locks/ab')).toBe(false)
    expect(usual.notices).toEqual([expect.stringMatching(/^removed the lock that process \d+ on host-\d left behind$/)])
    return true
  }

  test('of a process of this host that has ended', async () => {
    expect(await taken({ host: 'host-1', pid: DEAD })).toBe(true)
  })

  test('but not of one that lives, or of one of another host that nobody can ask', async () => {
    expect(await taken({ host: 'host-1', pid: process.ppid })).toBe(false)
    expect(await taken({ host: 'host-1', pid: 1 })).toBe(false)
    expect(await taken({ host: 'host-1', pid: process.pid })).toBe(false)
    expect(await taken({ host: 'host-2', pid: DEAD })).toBe(false)
  })

  test('when it was not renewed for half an hour, of whatever process', async () => {
    const later = (minutes: number): Partial<Environment> => ({ now: () => 1_700_000_000_000 + minutes * MINUTE })
    for (const lock of [{ host: 'host-2' }, { host: 'host-1', pid: process.pid }]) {
      expect(await taken(lock, later(30))).toBe(false)
      expect(await taken(lock, later(30.1))).toBe(true)
    }
    expect(await taken({ host: 'host-2' }, later(-60 * 24))).toBe(false) // a clock that is wrong is no reason
  })

  test('also beside locks that are in nobody’s way', async () => {
    const { backend, environment } = fixture()
    leave(backend, { host: 'host-1', pid: DEAD })
    await (await acquireLock(backend, 'write', environment)).release()
    expect(backend.files.has('locks/ab')).toBe(true) // another writer's: prune will look after it
    await (await acquireLock(backend, 'prune', environment)).release()
    expect(backend.files.has('locks/ab')).toBe(false)
  })
})

describe('a lock that is held', () => {
  test('is renewed every five minutes, under a new name, never missing', async () => {
    vi.useFakeTimers()
    const { backend, clock, acquire } = fixture()
    const lock = await acquire('write')
    const [first] = backend.files.keys()
    const remove = vi.spyOn(backend, 'remove').mockImplementation(async (kind, name) => {
      expect(locksIn(backend)).toHaveLength(2)
      backend.files.delete(`${kind}/${name}`)
    })
    clock.now += 5 * MINUTE
    await vi.advanceTimersByTimeAsync(5 * MINUTE)
    expect(remove).toHaveBeenCalledTimes(1)
    expect(backend.files.has(first!)).toBe(false)
    expect(locksIn(backend)).toEqual([expect.objectContaining({ timeMs: clock.now, pid: process.pid })])
    remove.mockRestore()
    await lock.release()
    expect(locksIn(backend)).toEqual([])
    await vi.advanceTimersByTimeAsync(60 * MINUTE)
    expect(locksIn(backend)).toEqual([])
  })

  test('outlives renewals that fail, and goes when released', async () => {
    vi.useFakeTimers()
    const { backend, acquire } = fixture()
    const lock = await acquire('prune')
    const put = vi.spyOn(backend, 'put').mockRejectedValue(new Error('the network is down'))
    await vi.advanceTimersByTimeAsync(12 * MINUTE)
    expect(put).toHaveBeenCalledTimes(2)
    expect(locksIn(backend)).toHaveLength(1)
    put.mockRestore()
    await vi.advanceTimersByTimeAsync(5 * MINUTE)
    await lock.release()
    expect(locksIn(backend)).toEqual([])
  })

  test('that was taken for abandoned stays lost', async () => {
    vi.useFakeTimers()
    const { backend, clock, acquire } = fixture()
    const lock = await acquire('write')
    await lock.confirm()
    clock.now += 31 * MINUTE // the machine slept, and no timer ran
    await (await acquire('prune')).release()
    await vi.advanceTimersByTimeAsync(6 * MINUTE)
    expect(locksIn(backend)).toEqual([])
    await expect(lock.confirm()).rejects.toMatchObject({ code: 'LOCKED', details: { mode: 'write' } })
    await lock.release()
  })

  test('is confirmed while it is renewed', async () => {
    vi.useFakeTimers()
    const { backend, acquire } = fixture()
    const lock = await acquire('prune')
    for (let i = 0; i < 10; i++) {
      await vi.advanceTimersByTimeAsync(5 * MINUTE)
      await lock.confirm()
    }
    vi.spyOn(backend, 'stat').mockRejectedValueOnce(new Error('the network is down'))
    await expect(lock.confirm()).rejects.toThrow('the network is down')
    await lock.release()
  })

  test('may be released again and again, also by leaving its scope', async () => {
    const { backend, acquire } = fixture()
    {
      await using lock = await acquire('prune')
      expect(locksIn(backend)).toEqual([expect.objectContaining({ version: 1, mode: 'prune', host: 'host-1' })])
      await lock.release()
      await lock.release()
    }
    expect(locksIn(backend)).toEqual([])
  })

  test('is gone only after a renewal that was under way when it was released', async () => {
    vi.useFakeTimers()
    const { backend, acquire } = fixture()
    const lock = await acquire('write')
    const put = backend.put.bind(backend)
    vi.spyOn(backend, 'put').mockImplementation(async (...file) => {
      await new Promise((resolve) => setTimeout(resolve, 1000))
      await put(...file)
    })
    await vi.advanceTimersByTimeAsync(5 * MINUTE)
    const released = lock.release()
    await vi.advanceTimersByTimeAsync(2000)
    await released
    expect(locksIn(backend)).toEqual([])
  })
})

test('a lock that cannot be removed hides neither the end of the work nor why it has failed', async () => {
  const { backend, environment, acquire } = fixture()
  const remove = backend.remove
  backend.remove = async () => {
    throw new ChainkeepError('IO', 'the disk has died')
  }
  await using lock = await acquire('write')
  await lock.release()
  await expect(acquire('prune')).rejects.toMatchObject({ code: 'LOCKED' })
  expect(locksIn(backend)).toHaveLength(2)
  const notice = 'the disk has died; it counts no more once this process has ended'
  expect(environment.notices).toEqual([notice, notice])
  backend.remove = remove
})
