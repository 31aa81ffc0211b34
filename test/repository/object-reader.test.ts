import { describe, expect, test, vi } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { type ObjectId, objectIdAt } from '../../src/base/ids.ts'
import { hashObject } from '../../src/format/object.ts'
import { ObjectReader } from '../../src/repository/object-reader.ts'
import { memoryRepository } from '../helpers/memory-repository.ts'
import { sealAll } from '../helpers/sealed.ts'
import { storeSecondCopies } from '../helpers/second-copies.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

/** A repository with `count` trees of `length` bytes in one pack, and a reader whose reads are watched. */
async function fixture(count: number, length: number) {
  const here = await memoryRepository()
  const plains = Array.from({ length: count }, (_, i) => seededBytes(i, length))
  const session = here.repository.beginWrite()
  const ids: ObjectId[] = []
  for (const plain of plains) ids.push(await session.saveObject('tree', plain))
  await session.flush()
  const get = vi.fn<Backend['get']>((...file) => here.backend.get(...file))
  const index = await here.repository.index()
  return {
    ...here,
    plains,
    ids,
    get,
    reader: new ObjectReader({ ...here.backend, get }, async () => index),
    [Symbol.asyncDispose]: () => here[Symbol.asyncDispose](),
  }
}

const bytesRead = (get: { mock: { calls: Parameters<Backend['get']>[] } }): number =>
  get.mock.calls.reduce((sum, [, , range]) => sum + range!.length, 0)

describe('loading', () => {
  test('gives every object, in any order', async () => {
    await using here = await fixture(300, 5000)
    const order = [...here.ids.keys()].sort((a, b) => ((a * 7919) % 300) - ((b * 7919) % 300))
    for (const i of order)
      expect(Buffer.from(await here.reader.load('tree', here.ids[i]!)).equals(here.plains[i]!)).toBe(true)
  })

  test('reads objects that lie together at once', async () => {
    await using here = await fixture(1000, 1000)
    for (const id of here.ids) await here.reader.load('tree', id)
    expect(here.get.mock.calls.length).toBeLessThanOrEqual(4)
    expect(bytesRead(here.get)).toBeLessThan(1.2 * 1000 * 1032)
  })

  test('reads them once also when asked for all at the same time', async () => {
    await using here = await fixture(100, 1000)
    const all = await Promise.all(here.ids.map((id) => here.reader.load('tree', id)))
    for (const [i, plain] of all.entries()) expect(Buffer.from(plain).equals(here.plains[i]!)).toBe(true)
    expect(here.get).toHaveBeenCalledTimes(1)
  })

  test('gives objects longer than what is read at once, and those behind them', async () => {
    await using here = await fixture(5, 2 ** 20 + 123)
    for (const [i, id] of [...here.ids.entries()].reverse())
      expect(Buffer.from(await here.reader.load('tree', id)).equals(here.plains[i]!)).toBe(true)
  })

  test('keeps a bounded part of the packs in memory', async () => {
    await using here = await fixture(60, 300_000)
    for (const id of here.ids) await here.reader.load('tree', id)
    const reads = here.get.mock.calls.length
    for (const id of here.ids) await here.reader.load('tree', id)
    expect(here.get.mock.calls.length).toBe(2 * reads) // nothing of the beginning was left
  })

  test('gives bytes that belong to the caller', async () => {
    await using here = await fixture(1, 100)
    const plain = await here.reader.load('tree', here.ids[0]!)
    plain.fill(0)
    expect(Buffer.from(await here.reader.load('tree', here.ids[0]!)).equals(here.plains[0]!)).toBe(true)
  })
})

describe('loading rejects', () => {
  test('what is in no pack, or only as another kind', async () => {
    await using here = await fixture(1, 100)
    const missing = objectIdAt(seededBytes('missing', 32))
    await expect(here.reader.load('tree', missing)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      details: { kind: 'tree', id: missing },
    })
    await expect(here.reader.load('list', here.ids[0]!)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(here.reader.load('chunk', here.ids[0]!)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('every flipped byte of a record, and says where it is', async () => {
    await using here = await fixture(3, 60)
    const path = [...here.backend.files.keys()].find((name) => name.startsWith('meta/'))!
    const pack = here.backend.files.get(path)!
    const index = await here.repository.index()
    for (let at = 108; at < 108 + 92; at++) {
      const damaged = Uint8Array.from(pack)
      damaged[at]! ^= 0x10
      here.backend.files.set(path, damaged)
      const reader = new ObjectReader(here.backend, async () => index)
      const error = await reader.load('tree', here.ids[1]!).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ name: 'ChainkeepError', details: { file: path } })
      expect(['BAD_FORMAT', 'CORRUPT']).toContain((error as ChainkeepError).code)
      await reader.load('tree', here.ids[0]!)
      await reader.load('tree', here.ids[2]!)
    }
  })

  test('a pack that is cut off, or gone', async () => {
    await using here = await fixture(3, 60)
    const path = [...here.backend.files.keys()].find((name) => name.startsWith('meta/'))!
    here.backend.files.set(path, here.backend.files.get(path)!.subarray(0, 150))
    await expect(here.reader.load('tree', here.ids[1]!)).rejects.toMatchObject({ code: 'TRUNCATED' })
    here.backend.files.delete(path)
    await expect(here.reader.load('tree', here.ids[1]!)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('one failure only once: it is not kept', async () => {
    await using here = await fixture(2, 100)
    here.get.mockRejectedValueOnce(new ChainkeepError('IO', 'the network is down'))
    await expect(here.reader.load('tree', here.ids[0]!)).rejects.toMatchObject({ code: 'IO' })
    expect(await here.reader.load('tree', here.ids[0]!)).toHaveLength(100)
  })
})

test('chunks are read as well, from data packs', async () => {
  await using here = await fixture(1, 10)
  const session = here.repository.beginWrite()
  const plains = [seededBytes('a', 100), Buffer.alloc(5000)]
  await session.add('chunk', sealAll('chunk', plains))
  await session.flush()
  for (const plain of plains) {
    const id = objectIdAt(hashObject('chunk', plain))
    expect(Buffer.from(await here.reader.load('chunk', id)).equals(plain)).toBe(true)
  }
  expect(here.get.mock.calls.every(([kind]) => kind === 'data')).toBe(true)
})

describe('of two copies', () => {
  /** Three trees, each in two packs. */
  async function twice() {
    const here = await fixture(3, 600)
    const [copied] = await storeSecondCopies(here.repository)
    const { files } = here.backend
    const change = (pack: string, bytes: Uint8Array | undefined): unknown =>
      bytes ? files.set(`meta/${pack}`, bytes) : files.delete(`meta/${pack}`)
    const flipped = (pack: string, at: number): Uint8Array => {
      const bytes = Uint8Array.from(files.get(`meta/${pack}`)!)
      bytes[at]! ^= 0x10
      return bytes
    }
    const loaded = async (): Promise<boolean[]> =>
      await Promise.all(
        here.ids.map(async (id, i) => Buffer.from(await here.reader.load('tree', id)).equals(here.plains[i]!)),
      )
    return { ...here, ...copied!, change, flipped, loaded, [Symbol.asyncDispose]: here[Symbol.asyncDispose] }
  }

  test('the other does when one is damaged, whichever', async () => {
    for (const which of ['first', 'second'] as const) {
      await using here = await twice()
      const [pack, offset] = [here[which], here.offset]
      for (const damaged of [
        here.flipped(pack, offset), // no record
        here.flipped(pack, offset + 40), // not what was stored
        here.backend.files.get(`meta/${pack}`)!.subarray(0, offset + 5),
        undefined,
      ]) {
        here.change(pack, damaged)
        expect(await here.loaded()).toEqual([true, true, true])
      }
    }
  })

  test('the other does when the device cannot read one', async () => {
    await using here = await twice()
    here.get.mockImplementation(async (kind, name, range) => {
      if (name === here.first) throw new ChainkeepError('IO', 'the device reported an input/output error')
      return await here.backend.get(kind, name, range)
    })
    expect(await here.loaded()).toEqual([true, true, true])
  })

  test('none does when both are damaged, and the first says why', async () => {
    await using here = await twice()
    here.change(here.first, here.flipped(here.first, here.offset + 40))
    here.change(here.second, undefined)
    await expect(here.reader.load('tree', here.ids[0]!)).rejects.toMatchObject({
      code: 'CORRUPT',
      details: { file: `meta/${here.first}`, offset: here.offset },
    })
  })

  test('what is no failure of reading is no reason to try the other', async () => {
    await using here = await twice()
    here.get.mockRejectedValueOnce(new ChainkeepError('INTERRUPTED', 'interrupted'))
    await expect(here.reader.load('tree', here.ids[0]!)).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })
})
