import { setTimeout } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Backend, FileKind } from '../../src/backend/backend.ts'
import type { ErrorCode } from '../../src/base/errors.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

export interface BackendUnderTest extends AsyncDisposable {
  readonly backend: Backend
  /** Puts a file that is not ours among those of a kind. */
  readonly addStranger: (kind: FileKind, name: string) => Promise<void>
}

const KINDS = ['data', 'meta', 'parity', 'snapshots', 'condemned', 'locks'] as const
const NAME = 'ab'.repeat(32)
const BYTES = seededBytes('contract', 1000)

/** What every backend promises: see src/backend/backend.ts. */
export function backendContract(name: string, make: () => Promise<BackendUnderTest>): void {
  describe(`${name} keeps the contract of backends`, () => {
    for (const kind of [...KINDS, 'config', 'settings', 'reserve'] as const)
      describe(kind, () => storesFiles(make, kind))
    describe('listing', () => listsFiles(make))
    describe('a file that is begun', () => letsOthersPrevent(make))
    describe('time', () => tellsTime(make))
  })
}

const rejects = (promise: Promise<unknown>, code: ErrorCode): Promise<void> =>
  expect(promise).rejects.toMatchObject({ name: 'ChainkeepError', code })

/** Sorted. */
export async function namesOf(backend: Backend, kind: FileKind): Promise<string[]> {
  const names: string[] = []
  for await (const name of backend.list(kind)) names.push(name)
  return names.sort()
}

function storesFiles(make: () => Promise<BackendUnderTest>, kind: FileKind): void {
  const name = ['config', 'settings', 'reserve'].includes(kind) ? '' : NAME

  test('what was put is got, whole and in parts', async () => {
    await using here = await make()
    const { backend } = here
    await backend.put(kind, name, [BYTES.subarray(0, 1), new Uint8Array(), BYTES.subarray(1)])
    expect(Buffer.from(await backend.get(kind, name)).equals(BYTES)).toBe(true)
    expect((await backend.stat(kind, name)).size).toBe(1000)
    for (const [offset, length] of [
      [0, 1000],
      [0, 0],
      [1000, 0],
      [999, 1],
      [17, 100],
    ] as const) {
      const bytes = await backend.get(kind, name, { offset, length })
      expect(Buffer.from(bytes).equals(BYTES.subarray(offset, offset + length))).toBe(true)
    }
  })

  test('what is got belongs to the caller, in memory of its own', async () => {
    await using here = await make()
    await here.backend.put(kind, name, [BYTES])
    for (const range of [undefined, { offset: 10, length: 20 }]) {
      const bytes = await here.backend.get(kind, name, range)
      expect(bytes.buffer.byteLength).toBe(bytes.length)
      bytes.fill(0)
    }
    expect(Buffer.from(await here.backend.get(kind, name)).equals(BYTES)).toBe(true)
  })

  test('what is got lies where the caller wants it, other bytes there stay', async () => {
    await using here = await make()
    await here.backend.put(kind, name, [BYTES])
    const into = new Uint8Array(new SharedArrayBuffer(30)).fill(7)
    const bytes = await here.backend.get(kind, name, { offset: 10, length: 20, into })
    expect(bytes.buffer).toBe(into.buffer)
    expect([bytes.byteOffset, bytes.length]).toEqual([0, 20])
    expect(Buffer.from(into).equals(Buffer.concat([BYTES.subarray(10, 30), Buffer.alloc(10, 7)]))).toBe(true)
  })

  test('what was begun without a name is there once it is published, in the order of the calls, and not before', async () => {
    await using here = await make()
    const { backend } = here
    const file = await backend.begin(kind)
    const appends = Array.from({ length: 10 }, (_, i) => file.append([BYTES.subarray(i * 100, i * 100 + 100)]))
    await Promise.all(appends)
    await rejects(backend.get(kind, name), 'NOT_FOUND')
    for await (const found of backend.list(kind)) expect.unreachable(`${found} is listed`)
    await file.publish(name)
    await file.discard()
    expect(Buffer.from(await backend.get(kind, name)).equals(BYTES)).toBe(true)
    expect(await namesOf(backend, 'tmp')).toEqual([])
  })

  test('what was begun and discarded leaves nothing', async () => {
    await using here = await make()
    const file = await here.backend.begin(kind)
    await file.append([BYTES])
    await file.discard()
    await file.discard()
    await rejects(here.backend.get(kind, name), 'NOT_FOUND')
    expect(await namesOf(here.backend, 'tmp')).toEqual([])
  })

  test('what was begun replaces nothing', async () => {
    await using here = await make()
    await here.backend.put(kind, name, [BYTES])
    const file = await here.backend.begin(kind)
    await file.append([Buffer.from('other')])
    await rejects(file.publish(name), 'EXISTS')
    await file.discard()
    expect(Buffer.from(await here.backend.get(kind, name)).equals(BYTES)).toBe(true)
    expect(await namesOf(here.backend, 'tmp')).toEqual([])
  })

  test('a file of no bytes is a file', async () => {
    await using here = await make()
    await here.backend.put(kind, name, [])
    expect(await here.backend.get(kind, name)).toHaveLength(0)
    expect((await here.backend.stat(kind, name)).size).toBe(0)
  })

  test('when it was written is known', async () => {
    await using here = await make()
    const beforeMs = Date.now()
    await here.backend.put(kind, name, [BYTES])
    const { modifiedMs } = await here.backend.stat(kind, name)
    expect(modifiedMs).toBeGreaterThan(beforeMs - 2000) // the clock of files may be coarse
    expect(modifiedMs).toBeLessThan(Date.now() + 2000)
  })

  test('many parts', async () => {
    await using here = await make()
    const parts = Array.from({ length: 3000 }, (_, i) => BYTES.subarray(i % 1000, (i % 1000) + (i % 3)))
    await here.backend.put(kind, name, parts)
    expect(Buffer.from(await here.backend.get(kind, name)).equals(Buffer.concat(parts))).toBe(true)
  })

  test('more than there is, is TRUNCATED', async () => {
    await using here = await make()
    await here.backend.put(kind, name, [BYTES])
    await rejects(here.backend.get(kind, name, { offset: 0, length: 1001 }), 'TRUNCATED')
    await rejects(here.backend.get(kind, name, { offset: 999, length: 2 }), 'TRUNCATED')
    await rejects(here.backend.get(kind, name, { offset: 5000, length: 1 }), 'TRUNCATED')
  })

  test('what is not there is NOT_FOUND', async () => {
    await using here = await make()
    await rejects(here.backend.get(kind, name), 'NOT_FOUND')
    await rejects(here.backend.get(kind, name, { offset: 0, length: 1 }), 'NOT_FOUND')
    await rejects(here.backend.stat(kind, name), 'NOT_FOUND')
  })

  test('nothing is replaced', async () => {
    await using here = await make()
    await here.backend.put(kind, name, [BYTES])
    await rejects(here.backend.put(kind, name, [Buffer.from('other')]), 'EXISTS')
    expect(Buffer.from(await here.backend.get(kind, name)).equals(BYTES)).toBe(true)
  })

  test('unless it is to be, at once and whole', async () => {
    await using here = await make()
    const { backend } = here
    await backend.replace(kind, name, [BYTES])
    expect(Buffer.from(await backend.get(kind, name)).equals(BYTES)).toBe(true)
    await backend.replace(kind, name, [Buffer.from('ot'), Buffer.from('her')])
    expect(Buffer.from(await backend.get(kind, name)).toString()).toBe('other')
    expect(await namesOf(backend, 'tmp')).toEqual([])
  })

  test('of several who put the same name, one succeeds', async () => {
    await using here = await make()
    const puts = Array.from({ length: 8 }, (_, i) => here.backend.put(kind, name, [Buffer.from(`from ${i}`)]))
    const outcomes = await Promise.allSettled(puts)
    const winners = [...outcomes.keys()].filter((i) => outcomes[i]!.status === 'fulfilled')
    expect(winners).toHaveLength(1)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'EXISTS' })
    expect(Buffer.from(await here.backend.get(kind, name)).toString()).toBe(`from ${winners[0]}`)
  })

  test('what was removed is gone, once or twice, and may be put again', async () => {
    await using here = await make()
    const { backend } = here
    await backend.remove(kind, name)
    await backend.put(kind, name, [BYTES])
    await backend.remove(kind, name)
    await backend.remove(kind, name)
    await rejects(backend.get(kind, name), 'NOT_FOUND')
    await backend.put(kind, name, [Buffer.from('again')])
    expect(Buffer.from(await backend.get(kind, name)).toString()).toBe('again')
  })
}

function letsOthersPrevent(make: () => Promise<BackendUnderTest>): void {
  test('lies among the unpublished ones of its writer, and no more once it is published or given up', async () => {
    await using here = await make()
    const { backend } = here
    for (const end of ['publish', 'discard'] as const) {
      const file = await backend.begin('snapshots')
      expect(await namesOf(backend, 'tmp')).toEqual([expect.stringMatching(new RegExp(`^${backend.writer}`))])
      if (end === 'publish') await file.publish(NAME)
      await file.discard()
      expect(await namesOf(backend, 'tmp')).toEqual([])
    }
    expect(await namesOf(backend, 'snapshots')).toEqual([NAME])
  })

  test('never gets its name once somebody has removed it from there', async () => {
    await using here = await make()
    const { backend } = here
    const file = await backend.begin('snapshots')
    await file.append([BYTES])
    for (const name of await namesOf(backend, 'tmp')) await backend.remove('tmp', name)
    await rejects(file.publish(NAME), 'NOT_FOUND')
    await file.discard()
    expect(await namesOf(backend, 'snapshots')).toEqual([])
  })
}

function tellsTime(make: () => Promise<BackendUnderTest>): void {
  test('by the same clock for all files', async () => {
    await using here = await make()
    const { backend } = here
    const beforeMs = await backend.clock()
    await backend.put('locks', NAME, [BYTES])
    const { modifiedMs } = await backend.stat('locks', NAME)
    const afterMs = await backend.clock()
    expect([beforeMs <= modifiedMs, modifiedMs <= afterMs]).toEqual([true, true])
    expect(await namesOf(backend, 'tmp')).toEqual([])
  })

  test('a file that is touched has the time of now, and is the same', async () => {
    await using here = await make()
    const { backend } = here
    await backend.put('locks', NAME, [BYTES])
    const { modifiedMs } = await backend.stat('locks', NAME)
    await setTimeout(20)
    await backend.touch('locks', NAME)
    expect((await backend.stat('locks', NAME)).modifiedMs).toBeGreaterThan(modifiedMs)
    expect(Buffer.from(await backend.get('locks', NAME)).equals(BYTES)).toBe(true)
  })

  test('a file that is gone is not made again by touching it', async () => {
    await using here = await make()
    await rejects(here.backend.touch('locks', NAME), 'NOT_FOUND')
    expect(await namesOf(here.backend, 'locks')).toEqual([])
  })
}

function listsFiles(make: () => Promise<BackendUnderTest>): void {
  test('nothing, at first', async () => {
    await using here = await make()
    for (const kind of KINDS) expect(await namesOf(here.backend, kind)).toEqual([])
  })

  test('every file of one kind, once, and not those of others', async () => {
    await using here = await make()
    const names = Array.from({ length: 300 }, (_, i) => seededBytes(i, 32).toString('hex')).sort()
    for (const [i, name] of names.entries())
      await here.backend.put(KINDS[i % KINDS.length]!, name, [BYTES.subarray(0, 3)])
    for (const [k, kind] of KINDS.entries())
      expect(await namesOf(here.backend, kind)).toEqual(names.filter((_, i) => i % KINDS.length === k))
  })

  test('strangers are passed over', async () => {
    await using here = await make()
    for (const kind of KINDS) {
      await here.backend.put(kind, NAME, [BYTES])
      for (const name of ['README', '.hidden', `${NAME}.tmp`, NAME.toUpperCase(), `${NAME}0`])
        await here.addStranger(kind, name)
      expect(await namesOf(here.backend, kind)).toEqual([NAME])
    }
  })

  test('files may come and go while they are listed', async () => {
    await using here = await make()
    const names = Array.from({ length: 20 }, (_, i) => seededBytes(i, 32).toString('hex'))
    for (const name of names) await here.backend.put('locks', name, [BYTES])
    for await (const name of here.backend.list('locks')) await here.backend.remove('locks', name)
    expect(await namesOf(here.backend, 'locks')).toEqual([])
  })

  test('a name that is none is a mistake', async () => {
    await using here = await make()
    const { backend } = here
    for (const name of ['', '..', '../config', 'a/b', 'AB', 'xyz', `${NAME}0`, 'ab\n']) {
      await expect(async () => backend.get('data', name)).rejects.toThrow(RangeError)
      await expect(async () => backend.put('data', name, [])).rejects.toThrow(RangeError)
      await expect(async () => backend.remove('data', name)).rejects.toThrow(RangeError)
    }
  })

  test('there are no leftovers of puts that were finished', async () => {
    await using here = await make()
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...KINDS), fc.uint8Array({ minLength: 32, maxLength: 32 }), async (kind, id) => {
        const name = Buffer.from(id).toString('hex')
        await here.backend.put(kind, name, [id]).catch(() => {}) // it may have been drawn before
        expect(await namesOf(here.backend, 'tmp')).toEqual([])
      }),
      { numRuns: 10 },
    )
  })
}
