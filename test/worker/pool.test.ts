import { randomBytes } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import type { ByteString } from '../../src/base/bytes.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { DEFAULT_CUT_PARAMETERS } from '../../src/chunker/fastcdc.ts'
import type { CutResult } from '../../src/worker/cut.ts'
import { type RunOptions, WorkerPool } from '../../src/worker/pool.ts'
import type { Ask, TaskTypes } from '../../src/worker/tasks.ts'
import { chunkStore } from '../helpers/chunk-store.ts'
import { packOf } from '../helpers/records.ts'

const MIB = 2 ** 20
const pools: WorkerPool[] = []
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool[Symbol.asyncDispose]()
})

function newPool(threads: number): WorkerPool {
  const pool = new WorkerPool({ threads })
  pools.push(pool)
  return pool
}

const cutTask = (bytes: Uint8Array): TaskTypes['cut']['task'] => ({
  files: [{ bytes }],
  parameters: DEFAULT_CUT_PARAMETERS,
  effort: 'auto',
  holesBeforeMs: 0,
})

function cut(pool: WorkerPool, bytes: Uint8Array, options: Partial<RunOptions> = {}): Promise<CutResult> {
  return pool.run('cut', cutTask(bytes), { bytes: bytes.length, answer: chunkStore().answer, ...options })
}

/** Work that takes a thread, whatever its size. */
const LARGE = { bytes: 33 * MIB }
const small = (): Uint8Array => Uint8Array.from(randomBytes(100))

/** Answers like a store, once `open` has been called. */
function gate(): { answer: Ask; open: () => void; reached: Promise<void>; waiting: () => number } {
  let open = (): void => {}
  let reach = (): void => {}
  let waiting = 0
  const opened = new Promise<void>((resolve) => (open = resolve))
  const reached = new Promise<void>((resolve) => (reach = resolve))
  const answer: Ask = async (question) => {
    waiting++
    reach()
    await opened
    waiting--
    return chunkStore(() => false).answer(question)
  }
  return { answer, open, reached, waiting: () => waiting }
}

test('the first 32 MiB of work are done on the calling thread, where buffers stay', async () => {
  const pool = newPool(1)
  const bytes = small()
  const transfer = [bytes.buffer as ArrayBuffer]
  await cut(pool, bytes, { transfer, bytes: 32 * MIB })
  expect(bytes).toHaveLength(100)
  await cut(pool, bytes, { transfer, bytes: 1 })
  expect(bytes, 'transferred, not copied').toHaveLength(0)
})

test('records come back in memory of their own, transferred', async () => {
  const records: Uint8Array[] = []
  const store = chunkStore()
  const answer: Ask = (question) => {
    if (typeof question === 'object' && question && 'records' in question) records.push(question.records as Uint8Array)
    return store.answer(question)
  }
  const bytes = Uint8Array.from(randomBytes(MIB))
  await cut(newPool(1), bytes, { answer, bytes: 33 * MIB })
  expect(records).toHaveLength(1)
  expect(records[0]!.byteOffset).toBe(0)
  expect(Buffer.concat([...store.chunks.values()]).equals(bytes)).toBe(true)
})

test('at most as many tasks as there is room for run at once, in the order given', async () => {
  for (const threads of [1, 2]) {
    const pool = newPool(threads)
    expect(pool.capacity).toBe(2 * threads)
    const gates = Array.from({ length: 7 }, gate)
    const done: number[] = []
    const tasks = gates.map(({ answer }, i) => cut(pool, small(), { ...LARGE, answer }).then(() => done.push(i)))
    for (const [i, { reached, open }] of gates.entries()) {
      await reached
      const running = (): number => gates.reduce((sum, { waiting }) => sum + waiting(), 0)
      const room = Math.min(pool.capacity, 7 - i)
      await expect.poll(running, { timeout: 10_000 }).toBe(room)
      await new Promise((resolve) => setTimeout(resolve, 10)) // nor do more begin
      expect(running()).toBe(room)
      open()
      await tasks[i]
    }
    expect(done).toEqual([0, 1, 2, 3, 4, 5, 6])
  }
})

test('threads start at once where there will be work for them', async () => {
  const isInline = async (expected: number): Promise<boolean> => {
    const pool = newPool(1)
    pool.expect(expected)
    const bytes = small()
    await cut(pool, bytes, { transfer: [bytes.buffer as ArrayBuffer] })
    return bytes.length > 0 // what went to a thread is gone
  }
  expect(await isInline(32 * MIB)).toBe(true)
  expect(await isInline(33 * MIB)).toBe(false)
})

test('while a task of a thread awaits its answer, another is worked on', async () => {
  const pool = newPool(1)
  const { answer, open, reached } = gate()
  const first = cut(pool, small(), { ...LARGE, answer })
  await reached
  await cut(pool, small(), LARGE)
  open()
  await first
})

test('every kind of task runs on threads, too', async () => {
  const pool = newPool(1)
  const pack = packOf([randomBytes(1000)])
  const path = '/no/such/file' as ByteString
  expect(await pool.run('verify', pack, LARGE)).toEqual({ failures: [] })
  const writes = Float64Array.of(0, 0, 0)
  const written = await pool.run('write', { ...pack, paths: [path], writes, skipZeros: Uint8Array.of(0) }, LARGE)
  expect(written).toMatchObject({ bytesWritten: 0, failures: [{ path: 0, code: 'NOT_FOUND' }] })
  const compared = await pool.run('compare', { path, offsets: [0], ids: pack.list[0]!.id, lengths: [1000] }, LARGE)
  expect(compared).toMatchObject({ same: Uint8Array.of(0), failure: { code: 'NOT_FOUND' } })
})

test.each([
  ['on the calling thread', 0],
  ['on a thread', 33 * MIB],
])('who answers may reject, and that very error comes out: %s', async (_, bytes) => {
  const error = new ChainkeepError('NO_SPACE', 'the disk is full', { path: '/x' })
  const pool = newPool(1)
  await expect(cut(pool, small(), { bytes, answer: () => Promise.reject(error) })).rejects.toBe(error)
  await expect(pool.run('cut', cutTask(small()), { bytes })).rejects.toThrow('nobody answers')
  expect((await cut(pool, small(), { bytes })).lengths, 'the next one is not harmed').toHaveLength(1)
})

test('errors of a task on a thread keep message and stack', async () => {
  const parameters = { ...DEFAULT_CUT_PARAMETERS, minBytes: 1 }
  const failing = newPool(1).run('cut', { ...cutTask(small()), parameters }, LARGE)
  await expect(failing).rejects.toThrow('minBytes must be an even number')
  await expect(failing).rejects.toMatchObject({ stack: expect.stringContaining('at checkParameters (') })
})

test('what cannot be sent to a thread rejects, and takes no room', async () => {
  const pool = newPool(1)
  for (let i = 0; i < 5; i++) {
    const task = { ...cutTask(small()), effort: (() => {}) as unknown as 'auto' }
    await expect(pool.run('cut', task, LARGE)).rejects.toThrow('could not be cloned')
  }
  await cut(pool, small(), LARGE)
})

test('a thread that dies rejects its tasks and those given to it later', async () => {
  const pool = newPool(1)
  const { answer, reached } = gate()
  const waiting = cut(pool, small(), { ...LARGE, answer })
  const failure = expect(waiting).rejects.toThrow('not a function')
  await reached
  const deadly = 'no such task' as 'cut' // thrown where nobody catches it
  await expect(pool.run(deadly, cutTask(small()), LARGE)).rejects.toThrow('not a function')
  await failure
  for (let i = 0; i < 4; i++) await expect(cut(pool, small(), LARGE)).rejects.toThrow()
})

test('disposed of while busy, it rejects what runs and what waits', async () => {
  const pool = newPool(1)
  const { answer, reached } = gate()
  const tasks = Array.from({ length: 5 }, () => cut(pool, small(), { ...LARGE, answer }))
  const outcomes = Promise.allSettled(tasks)
  await reached
  await pool[Symbol.asyncDispose]()
  for (const { status } of await outcomes) expect(status).toBe('rejected')
  await expect(cut(pool, small(), LARGE)).rejects.toThrow('the pool is closed')
  await expect(cut(pool, small())).rejects.toThrow('the pool is closed')
  await pool[Symbol.asyncDispose]()
})

test('an answer that comes after the end harms nobody', async () => {
  const pool = newPool(1)
  const { answer, reached, open } = gate()
  const task = cut(pool, small(), { ...LARGE, answer })
  const failure = expect(task).rejects.toThrow('ended with code 1')
  await reached
  await pool[Symbol.asyncDispose]()
  await failure
  open()
  await new Promise((resolve) => setTimeout(resolve, 10))
})
