import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { decodeLock, type LockFile, type LockMode } from '../../src/format/lock.ts'
import { acquireLock } from '../../src/repository/lock.ts'
import { deadProcess, lockLeft } from '../helpers/locks.ts'
import { type MemoryFiles, memoryBackend } from '../helpers/memory-backend.ts'
import { testEnvironment } from '../helpers/repository.ts'

const MODES = ['read', 'write', 'prune'] as const
const MINUTE = 60_000

afterEach(() => void vi.useRealTimers())

/** A repository in which a process of the host called `host` is at work; `clock` is that of whoever keeps the files. */
function fixture(host = 'host-1') {
  const clock = { now: 1_700_000_000_000 }
  const backend = memoryBackend({ now: () => clock.now })
  const environment = testEnvironment('/nowhere', host)
  return { backend, clock, environment, acquire: (mode: LockMode) => acquireLock(backend, mode, environment) }
}

const locksIn = (backend: MemoryFiles): LockFile[] =>
  [...backend.files].flatMap(([path, bytes]) => (path.startsWith('locks/') ? [decodeLock(bytes, path)] : []))

describe('who keeps whom out', () => {
  test.each(MODES.flatMap((held) => MODES.map((asked) => [held, asked] as const)))(
    'while one is at %s, another asks for %s: only a second prune waits',
    async (held, asked) => {
      const { backend, acquire } = fixture()
      const first = await acquire(held)
      const second = acquire(asked)
      if (held === 'prune' && asked === 'prune')
        await expect(second).rejects.toMatchObject({
          code: 'LOCKED',
          message: expect.stringMatching(
            new RegExp(
              `^process ${process.pid} on host-1 is pruning the repository \\(since 2023-11-1\\d \\d\\d:\\d\\d:\\d\\d\\); try again`,
            ),
          ),
          details: { mode: 'prune', pid: process.pid, host: 'host-1' },
        })
      else await (await second).release()
      expect(locksIn(backend)).toHaveLength(1) // who was refused left nothing
      await first.release()
      expect(locksIn(backend)).toEqual([])
      await (await acquire(asked)).release()
    },
  )

  test('of several who begin to prune at the same moment, one is let in', async () => {
    for (let delays = 0; delays < 64; delays += 5) {
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
        acquireLock(slow(delays & 7), 'prune', environment),
        acquireLock(slow(delays >> 3), 'prune', environment),
      ])
      expect(asked.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      expect(locksIn(backend)).toHaveLength(1)
    }
  })

  test('a lock of an earlier program keeps out whoever writes or prunes, and is named: that program relies on being alone', async () => {
    for (const mode of ['write', 'prune'] as const) {
      const { backend, acquire } = fixture()
      const earlier = { version: 1, mode: 'prune', host: 'host-2', pid: 1, timeMs: 1_700_000_000_000 }
      backend.files.set('locks/ab', Buffer.from(JSON.stringify(earlier)))
      await expect(acquire(mode)).rejects.toMatchObject({
        code: 'UNSUPPORTED',
        message: expect.stringMatching(/^locks\/ab: .*; remove it if nobody is at work/),
      })
      expect([...backend.files.keys()]).toEqual(['locks/ab'])
    }
  })

  test('a lock that is released between being listed and read keeps nobody out', async () => {
    const { backend, environment } = fixture()
    lockLeft(backend, { mode: 'prune' })
    const releasing: Backend = {
      ...backend,
      stat: async (kind, name) => {
        backend.files.delete('locks/ab')
        return backend.stat(kind, name)
      },
    }
    await (await acquireLock(releasing, 'prune', environment)).release()
  })

  test('a prune takes the place of one that is dead, with a notice', async () => {
    const { backend, environment, acquire } = fixture()
    lockLeft(backend, { ...deadProcess('host-1'), mode: 'prune' })
    await (await acquire('prune')).release()
    expect(environment.notices).toEqual([expect.stringMatching(/^removed the lock that process \d+ on host-1 left/)])
    expect(backend.files.has('locks/ab')).toBe(false)
  })
})

describe('a reader', () => {
  test('is never refused, whatever lies there', async () => {
    const { backend, acquire } = fixture()
    backend.files.set('locks/ab', Buffer.from('?'))
    const lock = await acquire('read')
    expect(lock.name).not.toBe('')
    await lock.release()
  })

  test('does without a lock where nothing can be written', async () => {
    const { backend, environment } = fixture()
    const readOnly: Backend = {
      ...backend,
      putBriefly: () => Promise.reject(new ChainkeepError('DENIED', 'read-only')),
    }
    await using lock = await acquireLock(readOnly, 'read', environment)
    expect(lock.name).toBe('')
    await expect(lock.publish('snapshots', 'ab', [])).rejects.toThrow(RangeError)
    expect(backend.files.size).toBe(0)
  })
})

describe('a lock that is held', () => {
  test('says who holds it, since when, and what is known', async () => {
    const { backend, environment, clock } = fixture()
    const known = ['0'.repeat(32)]
    await using _lock = await acquireLock(backend, 'write', environment, known)
    expect(locksIn(backend)).toEqual([
      expect.objectContaining({
        mode: 'write',
        host: 'host-1',
        pid: process.pid,
        sinceMs: clock.now,
        writer: backend.writer,
        knows: known,
      }),
    ])
  })

  test('is touched every five minutes', async () => {
    vi.useFakeTimers()
    const { backend, clock, acquire } = fixture()
    const lock = await acquire('write')
    const path = `locks/${lock.name}`
    for (let i = 1; i <= 3; i++) {
      clock.now += 5 * MINUTE
      await vi.advanceTimersByTimeAsync(5 * MINUTE)
      expect(backend.times.get(path)).toBe(clock.now)
    }
    await lock.release()
    expect(locksIn(backend)).toEqual([])
    await vi.advanceTimersByTimeAsync(60 * MINUTE)
    expect(locksIn(backend)).toEqual([])
  })

  test('outlives touches that fail', async () => {
    vi.useFakeTimers()
    const { backend, acquire } = fixture()
    const lock = await acquire('prune')
    const touch = vi.spyOn(backend, 'touch').mockRejectedValue(new Error('the network is down'))
    await vi.advanceTimersByTimeAsync(12 * MINUTE)
    expect(touch).toHaveBeenCalledTimes(2)
    touch.mockRestore()
    await lock.publish('condemned', 'ab', [])
    await lock.release()
    expect(locksIn(backend)).toEqual([])
  })

  test('that was taken for abandoned stays lost, and nothing is published under it', async () => {
    vi.useFakeTimers()
    const { backend, clock, acquire } = fixture()
    const other = memoryBackend({ like: backend, now: () => clock.now })
    const lock = await acquire('write')
    await lock.publish('snapshots', 'ab', [])
    clock.now += 31 * MINUTE // the machine slept, and no timer ran
    await (await acquireLock(other, 'prune', testEnvironment('/nowhere', 'host-2'))).release()
    await vi.advanceTimersByTimeAsync(6 * MINUTE)
    expect(backend.files.has(`locks/${lock.name}`)).toBe(false)
    await expect(lock.publish('snapshots', 'cd', [])).rejects.toMatchObject({
      code: 'LOCKED',
      details: { mode: 'write', lost: true },
    })
    expect(backend.files.has('snapshots/cd')).toBe(false)
    await lock.release()
  })

  test('publishes nothing that was confirmed before the lock was taken away, and would be published after', async () => {
    const { backend, clock, environment } = fixture()
    // Between the confirmation and the publication, the process stands still for long enough.
    const stalled: Backend = {
      ...backend,
      begin: async (kind) => {
        const file = await backend.begin(kind)
        return {
          ...file,
          publish: async (name) => {
            clock.now += 31 * MINUTE
            const other = memoryBackend({ like: backend, now: () => clock.now })
            await (await acquireLock(other, 'prune', testEnvironment('/nowhere', 'host-2'))).release()
            await file.publish(name)
          },
        }
      },
    }
    const lock = await acquireLock(stalled, 'write', environment)
    await expect(lock.publish('snapshots', 'ab', [])).rejects.toMatchObject({ code: 'LOCKED' })
    expect([...backend.files.keys()].filter((path) => !path.startsWith('locks/'))).toEqual([])
  })

  test('is not what is missing when something else is', async () => {
    const { backend, environment } = fixture()
    const missing = new ChainkeepError('NOT_FOUND', 'there is no such folder')
    const without: Backend = {
      ...backend,
      begin: () => Promise.reject(missing),
    }
    await using lock = await acquireLock(without, 'write', environment)
    await expect(lock.publish('snapshots', 'ab', [])).rejects.toBe(missing)
  })

  test('may be released again and again, also by leaving its scope', async () => {
    const { backend, acquire } = fixture()
    {
      await using lock = await acquire('prune')
      expect(locksIn(backend)).toHaveLength(1)
      await lock.release()
      await lock.release()
    }
    expect(locksIn(backend)).toEqual([])
  })

  test('leaves a note when packs were stored under it that nothing refers to', async () => {
    const { backend, clock, acquire } = fixture()
    {
      await using lock = await acquire('write')
      lock.holdsUnpublished = true
      clock.now += 7 * MINUTE
    }
    const [note, ...others] = locksIn(backend)
    expect(others).toEqual([])
    expect(note).toMatchObject({ mode: 'interrupted', sinceMs: clock.now - 7 * MINUTE, untilMs: clock.now })
  })
})

test('a lock that cannot be removed hides neither the end of the work nor why it has failed', async () => {
  const { backend, environment, acquire } = fixture()
  const remove = backend.remove
  backend.remove = async () => {
    throw new ChainkeepError('IO', 'the disk has died')
  }
  await using lock = await acquire('prune')
  await lock.release()
  await expect(acquire('prune')).rejects.toMatchObject({ code: 'LOCKED' })
  expect(locksIn(backend)).toHaveLength(1)
  expect(environment.notices).toEqual(['the disk has died; it counts no more once this process has ended'])
  backend.remove = remove
})
