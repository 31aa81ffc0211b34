import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { localBackend } from '../../src/backend/local.ts'
import { createLocalFolders } from '../../src/backend/local-folders.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { ID_BYTES, idBytes, type ObjectId, objectIdAt } from '../../src/base/ids.ts'
import { hashObject, RECORD_HEADER_BYTES } from '../../src/format/object.ts'
import type { ObjectIndex } from '../../src/repository/object-index.ts'
import type { SealedObjects } from '../../src/repository/pack-writer.ts'
import { saveSnapshot } from '../../src/repository/snapshots.ts'
import { PACK_BYTES, WriteSession } from '../../src/repository/write-session.ts'
import { makeSnapshot } from '../helpers/make-snapshot.ts'
import { memoryRepository } from '../helpers/memory-repository.ts'
import { publishing } from '../helpers/repository.ts'
import { sealAll } from '../helpers/sealed.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

/** A repository whose puts and index are watched. */
async function fixture(watchPut: (kind: string, put: () => Promise<void>) => Promise<void> = (_, put) => put()) {
  const events: string[] = []
  const here = await memoryRepository((backend) => ({
    ...backend,
    put: async (kind, name, parts) => {
      await watchPut(kind, () => backend.put(kind, name, parts))
      events.push(`put ${kind}`)
    },
    begin: async (kind) => {
      const file = await backend.begin(kind)
      return {
        ...file,
        publish: async (name) => {
          await watchPut(kind, () => file.publish(name))
          events.push(`put ${kind}`)
        },
      }
    },
  }))
  const index = await here.repository.index()
  const addPack = index.addPack.bind(index)
  vi.spyOn(index, 'addPack').mockImplementation(async (...pack) => {
    events.push('index begins')
    await addPack(...pack)
    events.push('index done')
  })
  return {
    repository: here.repository,
    files: here.backend.files,
    events,
    index,
    session: (dryRun = false) => here.repository.beginWrite({ dryRun }),
    [Symbol.asyncDispose]: () => here[Symbol.asyncDispose](),
  }
}

/** A promise that waits for `open`. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  let open = (): void => {}
  const passed = new Promise<void>((resolve) => (open = resolve))
  return { passed, open: () => open() }
}

const chunks = (...seeds: (string | number)[]): SealedObjects =>
  sealAll(
    'chunk',
    seeds.map((seed) => seededBytes(seed, 100)),
  )

/** One chunk of 8 MiB, as far as its header says. */
function largeChunk(seed: string | number): SealedObjects {
  const length = 8 * 2 ** 20
  const header = { kind: 'chunk', codec: 0, storedLength: length, plainLength: length } as const
  return { ids: seededBytes(seed, ID_BYTES), headers: [header], records: Buffer.alloc(RECORD_HEADER_BYTES + length) }
}

const packsOf = (files: Map<string, unknown>, packClass: string): string[] =>
  [...files.keys()].filter((path) => path.startsWith(`${packClass}/`))

describe('claiming', () => {
  const ids = (from: number, to: number): Buffer =>
    Buffer.concat(Array.from({ length: to - from }, (_, i) => seededBytes(from + i, ID_BYTES)))

  test('tells one of many that an object is new', async () => {
    await using here = await fixture()
    const session = here.session()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => session.claim('chunk', ids(i * 5, i * 5 + 30))),
    )
    const timesNew = new Map<number, number>()
    for (const [i, answer] of answers.entries())
      for (const [n, isNew] of answer.entries()) timesNew.set(i * 5 + n, (timesNew.get(i * 5 + n) ?? 0) + isNew)
    expect([...timesNew.values()]).toEqual(new Array(19 * 5 + 30).fill(1))
  })

  test('tells it once of an object that comes twice', async () => {
    await using here = await fixture()
    const answer = await here.session().claim('chunk', Buffer.concat([ids(0, 1), ids(0, 1), ids(1, 2)]))
    expect([...answer]).toEqual([1, 0, 1])
  })

  test('keeps kinds apart', async () => {
    await using here = await fixture()
    const session = here.session()
    for (const kind of ['chunk', 'list', 'tree', 'attributes'] as const)
      expect([...(await session.claim(kind, ids(0, 1)))]).toEqual([1])
  })

  test('finds what is stored, in this session or before', async () => {
    await using here = await fixture()
    for (const session of [here.session(), here.session()]) {
      const objects = chunks('a', 'b')
      const [isNew] = await session.claim('chunk', objects.ids)
      if (isNew) await session.add('chunk', objects)
      await session.flush()
      expect([...(await session.claim('chunk', objects.ids))]).toEqual([0, 0])
    }
    expect(packsOf(here.files, 'data')).toHaveLength(1)
  })

  test('never tells it again while the pack is being entered into the index', async () => {
    await using here = await fixture()
    const session = here.session()
    const objects = chunks('a')
    await session.claim('chunk', objects.ids)
    await session.add('chunk', objects)
    // The index is asked before the pack is entered, and answers after.
    const locate = here.index.locate.bind(here.index)
    const flushed = gate()
    vi.spyOn(here.index, 'locate').mockImplementationOnce(async (...question) => {
      const answer = await locate(...question)
      await flushed.passed
      return answer
    })
    const claim = session.claim('chunk', objects.ids)
    await session.flush()
    flushed.open()
    expect([...(await claim)]).toEqual([0])
  })

  test('that fails makes the session fail, since others may rely on the claim', async () => {
    await using here = await fixture()
    const session = here.session()
    vi.spyOn(here.index, 'locate').mockRejectedValueOnce(new ChainkeepError('IO', 'the index is gone'))
    await expect(session.claim('chunk', ids(0, 1))).rejects.toMatchObject({ code: 'IO' })
    await expect(session.flush()).rejects.toMatchObject({ code: 'IO' })
  })
})

describe('what was flushed', () => {
  test('is loaded as it was saved', async () => {
    await using here = await fixture()
    const session = here.session()
    const saved: [ObjectId, Buffer][] = []
    for (const length of [1, 10, 1000, 100_000]) {
      const plain = Buffer.alloc(length, `plain ${length} `)
      saved.push([await session.saveObject('tree', plain), plain])
    }
    await session.add('chunk', chunks('a', 'b'))
    await session.flush()
    for (const [id, plain] of saved)
      expect(Buffer.from(await here.repository.load('tree', id)).equals(plain)).toBe(true)
    for (const seed of ['a', 'b']) {
      const plain = seededBytes(seed, 100)
      const id = objectIdAt(hashObject('chunk', plain))
      expect(Buffer.from(await here.repository.load('chunk', id)).equals(plain)).toBe(true)
    }
    expect(packsOf(here.files, 'data')).toHaveLength(1)
    expect(packsOf(here.files, 'meta')).toHaveLength(1)
  })

  test('is counted', async () => {
    await using here = await fixture()
    const session = here.session()
    const objects = chunks('a', 'b')
    await session.add('chunk', objects)
    const id = await session.saveObject('list', new Uint8Array(5000))
    expect(await session.saveObject('list', new Uint8Array(5000))).toBe(id)
    const { bytesStored, ...stats } = session.stats
    expect(stats).toEqual({ objectsAdded: 3, chunksAdded: 2, bytesAdded: 5200 })
    expect(bytesStored).toBeGreaterThan(objects.records.length)
    expect(bytesStored).toBeLessThan(objects.records.length + 200)
  })

  test('is nothing if nothing was added', async () => {
    await using here = await fixture()
    const openIndex = vi.fn(async (): Promise<ObjectIndex> => here.index)
    await new WriteSession(here.repository.backend, openIndex).flush()
    expect(openIndex).not.toHaveBeenCalled()
    expect([...here.files.keys()]).toEqual(['config'])
  })
})

describe('order of writing: packs, then the index, then the snapshot', () => {
  test('each step is done before the next begins', async () => {
    await using here = await fixture(async (_, put) => {
      await setTimeout(5)
      await put()
    })
    const session = here.session()
    await session.add('chunk', chunks('a'))
    await session.saveObject('tree', Buffer.from('tree'))
    await session.flush()
    await saveSnapshot(makeSnapshot(), publishing(here.repository))
    const { events } = here
    expect(events.at(-1)).toBe('put snapshots')
    for (const packClass of ['data', 'meta']) expect(events).toContain(`put ${packClass}`)
    // Never more packs in the index than are stored.
    for (let i = 0; i < events.length; i++) {
      const soFar = events.slice(0, i + 1)
      const count = (event: string): number => soFar.filter((each) => each === event).length
      expect(count('index begins')).toBeLessThanOrEqual(count('put data') + count('put meta'))
    }
    expect(events.filter((event) => event === 'index done')).toHaveLength(2)
  })

  test('an object stays claimed until the index has it', async () => {
    const stored = gate()
    await using here = await fixture(async (_, put) => {
      await put()
      await stored.passed
    })
    const session = here.session()
    const objects = chunks('a')
    await session.add('chunk', objects)
    await session.claim('chunk', objects.ids)
    const flushing = session.flush()
    await setTimeout(5)
    expect(here.events).toEqual([])
    expect([...(await session.claim('chunk', objects.ids))]).toEqual([0])
    stored.open()
    await flushing
    expect([...(await session.claim('chunk', objects.ids))]).toEqual([0])
  })
})

describe('packs', () => {
  test('are closed when they are long enough, and at most two are on their way', async () => {
    let running = 0
    let most = 0
    await using here = await fixture(async (_, put) => {
      most = Math.max(most, ++running)
      await setTimeout(10)
      await put()
      running--
    })
    const session = here.session()
    for (let i = 0; i < 20; i++) await session.add('chunk', largeChunk(i))
    expect(here.events.filter((event) => event === 'put data').length).toBeGreaterThan(1) // before it was asked for
    await session.flush()
    expect(most).toBe(2)
    const lengths = packsOf(here.files, 'data').map((path) => here.files.get(path)!.length)
    expect(lengths).toHaveLength(5)
    for (const length of lengths) expect(length).toBeGreaterThan(PACK_BYTES.data)
  })
})

test('once interrupted, only the packs on their way arrive, and everything else rejects', async () => {
  const { passed, open } = gate()
  let begun = 0
  await using here = await fixture((_, put) => {
    begun++
    return passed.then(put)
  })
  const stop = new AbortController()
  {
    await using session = here.repository.beginWrite({ signal: stop.signal })
    for (let i = 0; i < 8; i++) await session.add('chunk', largeChunk(i)) // two packs
    const third = Promise.all([8, 9, 10, 11].map((i) => session.add('chunk', largeChunk(i))))
    await setTimeout(10)
    stop.abort()
    open()
    await third
    await expect(session.add('chunk', largeChunk(12))).rejects.toMatchObject({ code: 'INTERRUPTED' })
    await expect(session.claim('chunk', largeChunk(12).ids)).rejects.toMatchObject({ code: 'INTERRUPTED' })
    await expect(session.flush()).rejects.toMatchObject({ code: 'INTERRUPTED' })
  }
  expect(begun).toBe(2)
})

describe('a failing put', () => {
  const full = new ChainkeepError('NO_SPACE', 'no space left on the device')

  test('rejects the flush, and the object is in no index', async () => {
    await using here = await fixture(async () => Promise.reject(full))
    const session = here.session()
    const objects = chunks('a')
    await session.add('chunk', objects)
    await expect(session.flush()).rejects.toBe(full)
    await expect(session.flush()).rejects.toBe(full)
    expect(here.events).toEqual([])
    expect(await here.index.locate('chunk', objects.ids)).toEqual([undefined])
  })

  test('rejects the next add, and nothing more is put', async () => {
    let puts = 0
    await using here = await fixture(async () => {
      puts++
      throw full
    })
    const session = here.session()
    const adding = (async () => {
      for (let i = 0; i < 40; i++) await session.add('chunk', largeChunk(i))
    })()
    await expect(adding).rejects.toBe(full)
    await session[Symbol.asyncDispose]()
    expect(puts).toBeLessThanOrEqual(3)
    await expect(session.saveObject('tree', Buffer.from('tree'))).rejects.toBe(full)
    await expect(session.flush()).rejects.toBe(full)
    expect(here.index.addPack).not.toHaveBeenCalled()
  })

  test('is no worse when it fails on the way', async () => {
    await using here = await memoryRepository((backend) => ({
      ...backend,
      begin: async (kind) => ({ ...(await backend.begin(kind)), append: () => Promise.reject(full) }),
    }))
    await using session = here.repository.beginWrite({})
    const adds = ['a', 'b'].map((seed) => session.add('chunk', chunks(seed)))
    for (const add of adds) await expect(add).rejects.toBe(full)
    await expect(session.claim('chunk', chunks('c').ids)).rejects.toBe(full)
    await expect(session.flush()).rejects.toBe(full)
    expect(packsOf(here.backend.files, 'data')).toEqual([])
  })

  test('so does an index that takes no more', async () => {
    await using here = await fixture()
    vi.spyOn(here.index, 'addPack').mockRejectedValueOnce(full)
    const session = here.session()
    await session.add('chunk', chunks('a'))
    await expect(session.flush()).rejects.toBe(full)
  })

  test('leaves what was stored before to the next session', async () => {
    let fail = false
    await using here = await fixture((_, put) => (fail ? Promise.reject(full) : put()))
    const first = here.session()
    await first.add('chunk', chunks('a'))
    await first.flush()
    fail = true
    await first.add('chunk', chunks('b'))
    await expect(first.flush()).rejects.toBe(full)
    fail = false
    expect([...(await here.session().claim('chunk', chunks('a', 'b').ids))]).toEqual([0, 1])
  })
})

test('memory of records may be used again once they are added', async () => {
  await using here = await fixture()
  await using session = here.session()
  const objects = [chunks('a', 'b'), chunks('c')]
  const stored = objects.map(({ records }) => Buffer.from(records))
  for (const each of objects) {
    await session.add('chunk', each)
    each.records.fill(0)
  }
  await session.flush()
  const [pack] = packsOf(here.files, 'data')
  for (const records of stored) expect(Buffer.from(here.files.get(pack!)!).includes(records)).toBe(true)
})

test('an abandoned session leaves no files', async () => {
  await using tmp = await temporaryDirectory()
  await createLocalFolders(tmp.path)
  const backend = localBackend(tmp.path)
  {
    await using session = new WriteSession(backend, () => Promise.reject(new Error('there is no index')))
    await session.add('chunk', chunks('a'))
    expect(await readdir(join(tmp.path, 'tmp'))).toHaveLength(1)
  }
  expect(await readdir(join(tmp.path, 'tmp'))).toEqual([])
})

test('a dry run counts and stores nothing', async () => {
  await using here = await fixture()
  const session = here.session(true)
  for (let i = 0; i < 5; i++) {
    const chunk = largeChunk(i)
    expect([...(await session.claim('chunk', chunk.ids))]).toEqual([1])
    await session.add('chunk', chunk)
  }
  const id = await session.saveObject('tree', Buffer.from('tree'))
  await session.flush()
  expect([...here.files.keys()]).toEqual(['config'])
  expect(session.stats).toMatchObject({ objectsAdded: 6, chunksAdded: 5 })
  expect([...(await session.claim('chunk', largeChunk(0).ids))]).toEqual([0])
  expect([...(await session.claim('tree', idBytes(id)))]).toEqual([0])
  expect(here.events).toEqual([])
})
