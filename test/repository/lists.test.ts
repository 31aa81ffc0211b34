import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ID_BYTES, type ObjectId, objectIdAt } from '../../src/base/ids.ts'
import { decodeList, encodeList, LIST_MAX_ENTRIES, LIST_MIN_ENTRIES } from '../../src/format/list.ts'
import type { Content } from '../../src/format/node.ts'
import { ListBuilder, walkChunks } from '../../src/repository/lists.ts'
import { type ObjectStore, objectStore } from '../helpers/object-store.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

interface Chunks {
  readonly ids: Buffer
  readonly lengths: readonly number[]
}

/** Chunks of a file, different ones unless told. */
function chunksOf(count: number, seed: string | number = 'chunks'): Chunks {
  return { ids: seededBytes(seed, count * ID_BYTES), lengths: Array.from({ length: count }, (_, i) => 1 + (i % 1000)) }
}

async function build(store: ObjectStore, { ids, lengths }: Chunks, step = lengths.length) {
  const builder = new ListBuilder(store.save)
  for (let i = 0; i < lengths.length; i += step)
    await builder.add(ids.subarray(i * ID_BYTES, (i + step) * ID_BYTES), lengths.slice(i, i + step))
  return builder.finish()
}

async function walk(store: ObjectStore, content: Content | undefined, size: number): Promise<Chunks> {
  const ids: Uint8Array[] = []
  const lengths: number[] = []
  let offset = 0
  for await (const run of walkChunks(store.load, content, size)) {
    expect(run.offset).toBe(offset)
    expect(run.lengths.length).toBeLessThanOrEqual(LIST_MAX_ENTRIES)
    ids.push(run.ids)
    lengths.push(...run.lengths)
    offset += run.lengths.reduce((sum, length) => sum + length, 0)
  }
  return { ids: Buffer.concat(ids), lengths }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)

describe('a file', () => {
  test('of no bytes has no content', async () => {
    const store = objectStore()
    expect(await build(store, chunksOf(0))).toEqual({ size: 0 })
    expect(await walk(store, undefined, 0)).toEqual({ ids: Buffer.alloc(0), lengths: [] })
  })

  test('of one chunk needs no list', async () => {
    const store = objectStore()
    const chunks = chunksOf(1)
    expect(await build(store, chunks)).toEqual({ size: 1, content: { height: 0, id: objectIdAt(chunks.ids) } })
    expect(store.objects.size).toBe(0)
    expect(await walk(store, { height: 0, id: objectIdAt(chunks.ids) }, 1)).toEqual(chunks)
  })

  test('of two chunks needs one', async () => {
    const store = objectStore()
    const { size, content } = await build(store, chunksOf(2))
    expect([size, content!.height, store.objects.size]).toEqual([3, 1, 1])
  })

  test.each([7, 8, 9, 255, 256, 257, 1000, 10_000])('of %d chunks is walked as it was built', async (count) => {
    const store = objectStore()
    const chunks = chunksOf(count)
    const { size, content } = await build(store, chunks)
    expect(size).toBe(sum(chunks.lengths))
    const walked = await walk(store, content, size)
    expect(walked.ids.equals(chunks.ids)).toBe(true)
    expect(walked.lengths).toEqual(chunks.lengths)
  })

  test('of any chunks is the same however they are handed over', async () => {
    // Few different ids, half of which end a list, so that lists are short, repeat, and stand in each other.
    const anyIds = fc.array(fc.constantFrom(0, 1, 32, 33), { minLength: 1, maxLength: 400 })
    await fc.assert(
      fc.asyncProperty(anyIds, fc.integer({ min: 1, max: 50 }), async (numbers, step) => {
        const chunks = {
          ids: Buffer.concat(numbers.map((number) => Buffer.alloc(ID_BYTES, number))),
          lengths: numbers.map((number) => number + 1),
        }
        const store = objectStore()
        const whole = await build(store, chunks)
        expect(await build(store, chunks, step)).toEqual(whole)
        expect(await walk(store, whole.content, whole.size)).toEqual(chunks)
      }),
    )
  })

  test('may be as large as numbers go', async () => {
    const store = objectStore()
    const lengths = new Array(300).fill(2 ** 44)
    const { size, content } = await build(store, { ids: chunksOf(300).ids, lengths })
    expect(size).toBe(300 * 2 ** 44)
    expect((await walk(store, content, size)).lengths).toEqual(lengths)
  })
})

describe('taking over', () => {
  // Few different ids, half of which end a list: lists are short, repeat, and stand in each other.
  const anyNumbers = fc.array(fc.constantFrom(0, 1, 32, 33), { minLength: 1, maxLength: 300 })
  const chunksFrom = (numbers: readonly number[]): Chunks => ({
    ids: Buffer.concat(numbers.map((number) => Buffer.alloc(ID_BYTES, number))),
    lengths: numbers.map((number) => number + 1),
  })

  test('what comes before a chunk, and adding others, is the same as adding all', async () => {
    await fc.assert(
      fc.asyncProperty(anyNumbers, fc.nat(), anyNumbers, async (old, at, added) => {
        const kept = old.slice(0, at % old.length)
        const end = sum(chunksFrom(kept).lengths)
        const store = objectStore()
        const before = await build(store, chunksFrom(old))
        const builder = new ListBuilder(store.save)
        await builder.takeOver(store.load, before.content!, before.size, end)
        const { ids, lengths } = chunksFrom(added)
        await builder.add(ids, lengths)
        expect(await builder.finish()).toEqual(await build(store, chunksFrom([...kept, ...added])))
      }),
      { numRuns: 300 },
    )
  })

  test('loads and writes only the lists around the place', async () => {
    const store = objectStore()
    const chunks = chunksOf(10_000)
    const { content, size } = await build(store, chunks)
    const [loads, objects] = [store.loads, store.objects.size]
    const builder = new ListBuilder(store.save)
    await builder.takeOver(store.load, content!, size, size - chunks.lengths.at(-1)!)
    await builder.add(seededBytes('new', ID_BYTES), [5])
    await builder.finish()
    expect(store.loads - loads).toBe(content!.height)
    expect(store.objects.size - objects).toBeLessThanOrEqual(content!.height)
  })

  test('a place where no chunk begins, or the end, is refused', async () => {
    const store = objectStore()
    const { content, size } = await build(store, chunksOf(100))
    for (const end of [2, size - 1, size, size + 1])
      await expect(new ListBuilder(store.save).takeOver(store.load, content!, size, end)).rejects.toThrow(RangeError)
    const one = await build(store, chunksOf(1))
    await expect(new ListBuilder(store.save).takeOver(store.load, one.content!, 1, 1)).rejects.toThrow(RangeError)
  })

  test('a list that is lost rejects', async () => {
    const store = objectStore()
    const { content, size } = await build(store, chunksOf(100))
    store.objects.clear()
    const taking = new ListBuilder(store.save).takeOver(store.load, content!, size, size - 1)
    await expect(taking).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('borders depend on content', () => {
  const CHUNKS = chunksOf(10_000)
  const newLists = async (store: ObjectStore, chunks: Chunks): Promise<number> => {
    const before = store.objects.size
    await build(store, chunks)
    return store.objects.size - before
  }

  test('lists hold 8 to 256 entries, 39 on average', async () => {
    const store = objectStore()
    const { content } = await build(store, CHUNKS)
    const counts = [...store.objects.values()].map((plain) => decodeList(plain, plain[0]!, 'list').lengths.length)
    expect(counts.filter((count) => count < LIST_MIN_ENTRIES).length).toBeLessThanOrEqual(content!.height) // the last ones
    expect(Math.max(...counts)).toBeLessThanOrEqual(LIST_MAX_ENTRIES)
    expect(10_000 / counts.length).toBeGreaterThan(32)
    expect(10_000 / counts.length).toBeLessThan(46)
    expect(content!.height).toBeLessThanOrEqual(4)
  })

  test('a changed chunk rewrites a path of few lists', async () => {
    const store = objectStore()
    const { content } = await build(store, CHUNKS)
    const rewritten: number[] = []
    for (let at = 0; at < 10_000; at += 397) {
      const ids = Buffer.from(CHUNKS.ids)
      ids.set(seededBytes(`new ${at}`, ID_BYTES), at * ID_BYTES)
      rewritten.push(await newLists(store, { ids, lengths: CHUNKS.lengths }))
    }
    expect(Math.max(...rewritten)).toBeLessThanOrEqual(3 * content!.height)
    expect(sum(rewritten) / rewritten.length).toBeLessThan(content!.height + 1)
  })

  test('so does one inserted or removed', async () => {
    const store = objectStore()
    const { content } = await build(store, CHUNKS)
    const { ids, lengths } = CHUNKS
    const cut = 5000
    const inserted = {
      ids: Buffer.concat([ids.subarray(0, cut * ID_BYTES), chunksOf(1, 'new').ids, ids.subarray(cut * ID_BYTES)]),
      lengths: lengths.toSpliced(cut, 0, 77),
    }
    const removed = {
      ids: Buffer.concat([ids.subarray(0, cut * ID_BYTES), ids.subarray((cut + 1) * ID_BYTES)]),
      lengths: lengths.toSpliced(cut, 1),
    }
    for (const chunks of [inserted, removed])
      expect(await newLists(store, chunks)).toBeLessThanOrEqual(3 * content!.height)
  })

  test('and appended ones rewrite the end only', async () => {
    const store = objectStore()
    const { content } = await build(store, CHUNKS)
    const longer = {
      ids: Buffer.concat([CHUNKS.ids, chunksOf(20, 'new').ids]),
      lengths: [...CHUNKS.lengths, ...chunksOf(20).lengths],
    }
    expect(await newLists(store, longer)).toBeLessThanOrEqual(content!.height + 4)
  })

  test.each([1, 32])('200 000 equal chunks, whose id ends in %d, are few lists', async (byte) => {
    const store = objectStore()
    const count = 200_000
    const builder = new ListBuilder(store.save)
    const ids = Buffer.alloc(1000 * ID_BYTES, byte)
    const lengths = new Array(1000).fill(65_536)
    for (let i = 0; i < count; i += 1000) await builder.add(ids, lengths)
    const { size, content } = await builder.finish()
    expect(size).toBe(count * 65_536)
    expect(store.objects.size).toBeLessThanOrEqual(2 * content!.height)
    let walked = 0
    for await (const run of walkChunks(store.load, content, size)) walked += run.lengths.length
    expect(walked).toBe(count)
  })
})

describe('walking', () => {
  test('tells of every list before what is below it, and skips what it is told to', async () => {
    const store = objectStore()
    const { size, content } = await build(store, chunksOf(2000))
    const heard: [ObjectId, number][] = []
    for await (const _ of walkChunks(store.load, content, size, (id, height) => heard.push([id, height]) > 0));
    expect(heard[0]).toEqual([content!.id, content!.height])
    expect(new Set(heard.map(([id]) => id)).size).toBe(store.objects.size)

    const before = store.loads
    const asked: number[] = []
    const runs = walkChunks(store.load, content, size, async (_, height) => {
      asked.push(height)
      return height > 1
    })
    expect((await runs.next()).done).toBe(true)
    expect(asked.filter((height) => height === 1).length).toBeGreaterThan(30)
    expect(store.loads - before).toBe(asked.filter((height) => height > 1).length)
  })

  test('refuses lists that do not add up', async () => {
    const store = objectStore()
    const { size, content } = await build(store, chunksOf(500))
    await expect(walk(store, content, size + 1)).rejects.toMatchObject({ code: 'CORRUPT' })
    const first = chunksOf(2)
    const below = await store.save('list', encodeList(1, first.ids, [5, 5]))
    const root = await store.save('list', encodeList(2, Buffer.from(below, 'hex'), [11]))
    await expect(walk(store, { height: 2, id: root }, 11)).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringContaining(below),
    })
  })

  test('refuses a list that is not one lower than its parent', async () => {
    const store = objectStore()
    const below = await store.save('list', encodeList(2, chunksOf(1).ids, [10]))
    const root = await store.save('list', encodeList(2, Buffer.from(below, 'hex'), [10]))
    await expect(walk(store, { height: 2, id: root }, 10)).rejects.toMatchObject({ code: 'BAD_FORMAT' })
    await expect(walk(store, { height: 1, id: root }, 10)).rejects.toMatchObject({ code: 'BAD_FORMAT' })
  })

  test('passes on that a list is missing', async () => {
    const missing: Content = { height: 1, id: objectIdAt(chunksOf(1).ids) }
    await expect(walk(objectStore(), missing, 10)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})
