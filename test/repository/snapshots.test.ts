import { describe, expect, test, vi } from 'vitest'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { parseSnapshotId, type SnapshotId } from '../../src/base/ids.ts'
import { MAX_SNAPSHOT_BYTES, type Snapshot } from '../../src/format/snapshot.ts'
import {
  findSnapshot,
  fitsFilter,
  listSnapshots,
  loadSnapshot,
  removeSnapshot,
  saveSnapshot,
  splitSnapshotPath,
} from '../../src/repository/snapshots.ts'
import { makeSnapshot } from '../helpers/make-snapshot.ts'
import { memoryRepository } from '../helpers/memory-repository.ts'
import { flipped } from '../helpers/refusals.ts'
import { publishing } from '../helpers/repository.ts'

/** A repository with a snapshot for each of these, of which the ids are known. */
async function fixture(...all: Partial<Snapshot>[]) {
  const here = await memoryRepository()
  const ids: SnapshotId[] = []
  for (const fields of all) ids.push(await saveSnapshot(makeSnapshot(fields), publishing(here.repository)))
  return { ...here, ids, [Symbol.asyncDispose]: () => here[Symbol.asyncDispose]() }
}

describe('a snapshot', () => {
  test('is loaded as it was saved', async () => {
    await using here = await fixture({ tags: ['daily'], paths: [byteStringOf('/srv')] })
    const expected = makeSnapshot({ tags: ['daily'], paths: [byteStringOf('/srv')] })
    expect(await loadSnapshot(here.repository, here.ids[0]!)).toEqual(expected)
    expect([...here.backend.files.keys()]).toEqual(['config', `snapshots/${here.ids[0]}`])
  })

  test('saved twice is one', async () => {
    await using here = await fixture({ timeMs: 1 }, { timeMs: 1 })
    expect(here.ids[0]).toBe(here.ids[1])
    expect(await listSnapshots(here.repository)).toHaveLength(1)
  })

  test('that was removed is gone', async () => {
    await using here = await fixture({ timeMs: 1 }, { timeMs: 2 })
    await removeSnapshot(here.repository, here.ids[0]!)
    await removeSnapshot(here.repository, here.ids[0]!)
    expect((await listSnapshots(here.repository)).map(({ id }) => id)).toEqual([here.ids[1]])
    await expect(loadSnapshot(here.repository, here.ids[0]!)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('listing', () => {
  test('goes by time, and by id where that is the same', async () => {
    await using here = await fixture({ timeMs: 3 }, { timeMs: -1 }, { timeMs: 2, host: 'a' }, { timeMs: 2, host: 'b' })
    const [third, first, ...second] = here.ids
    const listed = (await listSnapshots(here.repository)).map(({ id }) => id)
    expect(listed).toEqual([first, ...second.sort(), third])
  })

  test('takes what fits every field of the filter', async () => {
    await using here = await fixture({ host: 'a', tags: ['x', 'y'] }, { host: 'a', tags: ['x'] }, { host: 'b' })
    const fitting = async (filter: Parameters<typeof listSnapshots>[1]): Promise<number[]> =>
      (await listSnapshots(here.repository, filter)).map(({ id }) => here.ids.indexOf(id)).sort()
    expect(await fitting({})).toEqual([0, 1, 2])
    expect(await fitting({ hosts: ['a'] })).toEqual([0, 1])
    expect(await fitting({ hosts: ['a', 'b'], tags: [['x']] })).toEqual([0, 1])
    expect(await fitting({ tags: [['x', 'y']] })).toEqual([0])
    expect(await fitting({ hosts: ['c'] })).toEqual([])
  })

  test('is not stopped by damage, of which it tells', async () => {
    await using here = await fixture({ timeMs: 1 }, { timeMs: 2 }, { timeMs: 3 }, { timeMs: 4 })
    const { files } = here.backend
    const path = (i: number): string => `snapshots/${here.ids[i]}`
    files.set(path(0), flipped(files.get(path(0))!, 300))
    files.set(path(1), files.get(path(1))!.subarray(0, 50))
    files.set(path(2), new Uint8Array())
    const damaged: [SnapshotId, string][] = []
    const listed = await listSnapshots(here.repository, {}, (id, error) => damaged.push([id, error.code]))
    expect(listed.map(({ id }) => id)).toEqual([here.ids[3]])
    expect(new Map(damaged)).toEqual(
      new Map([
        [here.ids[0], 'CORRUPT'],
        [here.ids[1], 'TRUNCATED'],
        [here.ids[2], 'TRUNCATED'],
      ]),
    )
    await listSnapshots(here.repository)
    expect(here.environment.notices).toHaveLength(3)
    expect(here.environment.notices.join()).toContain(here.ids[0])
  })

  test('reads no file that is too large to be a snapshot, and names it', async () => {
    await using here = await fixture({}, { timeMs: 2 })
    const [large, sound] = here.ids
    here.backend.files.set(`snapshots/${large}`, Buffer.alloc(MAX_SNAPSHOT_BYTES + 1))
    const get = vi.spyOn(here.backend, 'get')
    expect((await listSnapshots(here.repository)).map(({ id }) => id)).toEqual([sound])
    expect(get.mock.calls.map(([, name]) => name)).toEqual([sound])
    await expect(loadSnapshot(here.repository, large!)).rejects.toMatchObject({
      code: 'BAD_FORMAT',
      message: `snapshots/${large}: 16777249 bytes long, where 16777248 are the most`,
    })
  })

  test('passes over files whose names do not fit', async () => {
    await using here = await fixture({})
    for (const name of ['ab', 'ab'.repeat(31), 'README'])
      here.backend.files.set(`snapshots/${name}`, Buffer.from('stranger'))
    expect(await listSnapshots(here.repository)).toHaveLength(1)
    expect(here.environment.notices).toEqual([])
  })

  test('rejects when the backend does', async () => {
    await using here = await fixture({})
    Object.assign(here.backend, { get: () => Promise.reject(new Error('the network is down')) })
    await expect(listSnapshots(here.repository)).rejects.toThrow('the network is down')
  })
})

describe('finding', () => {
  const TIMES = Array.from({ length: 40 }, (_, i) => ({ timeMs: i, host: i % 2 === 0 ? 'even' : 'odd' }))

  test('by the whole id, or the first digits that no other has', async () => {
    await using here = await fixture(...TIMES)
    for (const id of here.ids) {
      let digits = 1
      while (here.ids.filter((other) => other.startsWith(id.slice(0, digits))).length > 1) digits++
      expect((await findSnapshot(here.repository, id.slice(0, digits))).id).toBe(id)
      expect((await findSnapshot(here.repository, id)).snapshot.timeMs).toBe(here.ids.indexOf(id))
      if (digits > 1)
        await expect(findSnapshot(here.repository, id.slice(0, digits - 1))).rejects.toMatchObject({
          code: 'BAD_ID',
          details: { ids: here.ids.filter((other) => other.startsWith(id.slice(0, digits - 1))).sort() },
        })
    }
  })

  test('latest, and so many before it', async () => {
    await using here = await fixture(...TIMES)
    const find = async (text: string, hosts?: string[]): Promise<number> =>
      (await findSnapshot(here.repository, text, { hosts })).snapshot.timeMs
    expect(await find('latest')).toBe(39)
    expect(await find('latest~0')).toBe(39)
    expect(await find('latest~1')).toBe(38)
    expect(await find('latest~39')).toBe(0)
    expect(await find('latest', ['even'])).toBe(38)
    expect(await find('latest~1', ['even'])).toBe(36)
    for (const text of ['latest~40', 'latest~99999999999999999999'])
      await expect(find(text)).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('40') })
    await expect(find('latest', ['none'])).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('nothing where nothing is', async () => {
    await using here = await fixture()
    for (const text of ['latest', 'ab', 'ab'.repeat(32)])
      await expect(findSnapshot(here.repository, text)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test.each(['', 'xyz', 'AB', 'latest~', 'latest~x', 'latest^', 'a b', '../config', 'ab'.repeat(33)])(
    'refuses %j',
    async (text) => {
      await using here = await fixture({})
      await expect(findSnapshot(here.repository, text)).rejects.toMatchObject({ code: 'BAD_ID' })
    },
  )

  test('passes over files whose names do not fit, and tells of damage', async () => {
    await using here = await fixture({})
    const [id] = here.ids
    here.backend.files.set(`snapshots/${id!.slice(0, 10)}`, Buffer.from('stranger'))
    expect((await findSnapshot(here.repository, id!.slice(0, 4))).id).toBe(id)
    here.backend.files.set(`snapshots/${id}`, new Uint8Array(40))
    await expect(findSnapshot(here.repository, id!.slice(0, 4))).rejects.toMatchObject({ code: 'BAD_FORMAT' })
  })
})

test.each([
  ['latest', 'latest', '/'],
  ['latest:', 'latest', '/'],
  ['latest:/', 'latest', '/'],
  ['abc:srv/node', 'abc', '/srv/node'],
  ['abc:/srv/node/', 'abc', '/srv/node'],
  ['latest~1://a:b//', 'latest~1', '/a:b'],
  ['abc:größe', 'abc', byteStringOf('/größe')],
])('%s is a snapshot and a path', (text, snapshot, path) => {
  expect(splitSnapshotPath(text)).toEqual({ snapshot, path })
})

test('a filter of paths asks for all of them', () => {
  const snapshot = makeSnapshot({ paths: ['/a', '/b'] as ByteString[] })
  expect(fitsFilter(snapshot, { paths: ['/b'] as ByteString[] })).toBe(true)
  expect(fitsFilter(snapshot, { paths: ['/b', '/c'] as ByteString[] })).toBe(false)
  expect(fitsFilter(snapshot, { paths: [], hosts: [], tags: [] })).toBe(true)
  expect(fitsFilter(snapshot, { tags: [['x'], []] })).toBe(true)
})

test('a snapshot id that is no file is not found', async () => {
  await using here = await fixture()
  const id = parseSnapshotId('00'.repeat(32))
  await expect(loadSnapshot(here.repository, id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
