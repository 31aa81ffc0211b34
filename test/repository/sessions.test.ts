import { expect, test, vi } from 'vitest'
import { markOf } from '../../src/base/processes.ts'
import { decodeLock, type LockFile, MAX_LOCK_BYTES } from '../../src/format/lock.ts'
import { listSessions, survivingSessions } from '../../src/repository/sessions.ts'
import { deadProcess, farProcess, lockLeft } from '../helpers/locks.ts'
import { memoryBackend } from '../helpers/memory-backend.ts'
import { testEnvironment } from '../helpers/repository.ts'

const MINUTE = 60_000
const START = 1_700_000_000_000

/** What becomes of a lock after so many minutes, looked at from host-1. */
async function fate(lock: Partial<LockFile>, minutes = 0) {
  const backend = memoryBackend({ now: () => START + minutes * MINUTE })
  lockLeft(backend, lock)
  const { alive, dead, interrupted } = await listSessions(backend, testEnvironment('/nowhere', 'host-1'))
  return { alive: alive.length, dead: dead.length, interrupted: interrupted.length }
}
const ALIVE = { alive: 1, dead: 0, interrupted: 0 }
const DEAD = { alive: 0, dead: 1, interrupted: 0 }

test('a process of this machine is alive as long as it runs', async () => {
  for (const minutes of [0, 24 * 60]) expect(await fate(markOf('host-1'), minutes)).toEqual(ALIVE)
  expect(await fate(markOf('host-1', process.ppid))).toEqual(ALIVE)
  expect(await fate(deadProcess('host-1'))).toEqual(DEAD)
})

test('one that had the number of a process that runs now is dead', async () => {
  expect(await fate({ ...markOf('host-1'), started: '1' })).toEqual(DEAD)
})

test('one of before the machine was started is dead', async () => {
  expect(await fate({ ...markOf('host-1'), boot: 'earlier' })).toEqual(DEAD)
})

test('of others nobody knows, but that they are dead when their lock was not touched for half an hour', async () => {
  const others: Partial<LockFile>[] = [
    farProcess('host-2'),
    farProcess('host-1'), // two machines may have one name
    { ...deadProcess('host-1'), space: 'another container' },
    { ...deadProcess('host-1'), machine: 'another' },
    { ...markOf('host-1'), started: '' }, // where the system does not say when a process was started
  ]
  for (const lock of others) {
    expect(await fate(lock, 30)).toEqual(ALIVE)
    expect(await fate(lock, 30.1)).toEqual(DEAD)
  }
})

test('a lock from the future is reckoned from now on', async () => {
  const now = { ms: START }
  const backend = memoryBackend({ now: () => now.ms })
  lockLeft(backend, { sinceMs: START + 1e9 })
  const environment = testEnvironment('/nowhere', 'host-1')
  expect((await listSessions(backend, environment)).alive).toHaveLength(1)
  now.ms += 31 * MINUTE
  expect((await listSessions(backend, environment)).dead).toHaveLength(1)
})

test('a damaged lock may be of anybody, and is not read if it is too large to be one', async () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from('{"version":'), Buffer.alloc(MAX_LOCK_BYTES + 1, ' ')]) {
    const now = { ms: START }
    const backend = memoryBackend({ now: () => now.ms })
    backend.files.set('locks/ab', bytes)
    backend.times.set('locks/ab', START)
    const get = vi.spyOn(backend, 'get')
    const environment = testEnvironment('/nowhere', 'host-1')
    const { alive } = await survivingSessions(backend, environment)
    expect(alive).toEqual([expect.objectContaining({ mode: 'write', knows: [], sinceMs: START })])
    expect(get).toHaveBeenCalledTimes(bytes.length > MAX_LOCK_BYTES ? 0 : 1)
    now.ms += 31 * MINUTE
    expect((await survivingSessions(backend, environment)).alive).toEqual([])
    expect(backend.files.has('locks/ab')).toBe(false)
  }
})

test('one’s own is passed over', async () => {
  const backend = memoryBackend()
  lockLeft(backend, {})
  expect(await listSessions(backend, testEnvironment('/nowhere'), 'ab')).toMatchObject({ alive: [], dead: [] })
})

test('who is dead is expelled: the lock goes first, then what is unfinished; a note stays of a writer', async () => {
  const backend = memoryBackend({ now: () => START + 60 * MINUTE })
  lockLeft(backend, { sinceMs: START })
  const [unfinished, other] = [`tmp/${'12'.repeat(8)}${'0'.repeat(32)}`, `tmp/${'34'.repeat(8)}${'0'.repeat(32)}`]
  for (const path of [unfinished, other]) backend.files.set(path, new Uint8Array(1))
  const order: string[] = []
  const watched: typeof backend = {
    ...backend,
    remove: async (kind, name) => {
      order.push(`${kind}/${name}`)
      await backend.remove(kind, name)
    },
  }
  const environment = testEnvironment('/nowhere', 'host-1')
  expect((await survivingSessions(watched, environment)).alive).toEqual([])
  expect(order).toEqual(['locks/ab', unfinished])
  expect(backend.files.has(other)).toBe(true)
  expect(environment.notices).toEqual(['removed the lock that process 1 on host-2 left behind'])
  const notes = [...backend.files].filter(([path]) => path.startsWith('locks/'))
  expect(notes.map(([path, bytes]) => decodeLock(bytes, path))).toEqual([
    expect.objectContaining({ mode: 'interrupted', sinceMs: START, untilMs: START + 5 * MINUTE }),
  ])
  const { interrupted } = await listSessions(backend, environment)
  expect(interrupted).toHaveLength(1)
})

test('readers and prunes leave no note', async () => {
  for (const mode of ['read', 'prune'] as const) {
    const backend = memoryBackend({ now: () => START + 60 * MINUTE })
    lockLeft(backend, { mode })
    await survivingSessions(backend, testEnvironment('/nowhere', 'host-1'))
    expect([...backend.files]).toEqual([])
  }
})
