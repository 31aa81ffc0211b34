import { setImmediate, setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { forEachLimited, mapOrdered, readAhead, Semaphore, SharedFate, Unbatched } from '../../src/base/async.ts'

/** A source that tells how many items were taken from it, and whether it was closed. */
function counted(length: number, failAt = Number.POSITIVE_INFINITY) {
  const state = { taken: 0, closed: false }
  async function* items(): AsyncGenerator<number, void, undefined> {
    try {
      for (let i = 0; i < length; i++) {
        if (i === failAt) throw new Error('the source failed')
        state.taken++
        yield i
      }
    } finally {
      state.closed = true
    }
  }
  return { state, items: items() }
}

/** Work that counts how much of it is done at once. */
function gauge() {
  const state = { running: 0, most: 0, ended: 0 }
  const during = async <T>(work: () => Promise<T>): Promise<T> => {
    state.most = Math.max(state.most, ++state.running)
    try {
      return await work()
    } finally {
      state.running--
      state.ended++
    }
  }
  return { state, during }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('mapOrdered', () => {
  test('keeps the order of the items, whichever is done first', async () => {
    const { state, during } = gauge()
    const results = mapOrdered([5, 1, 4, 0, 3, 2], 3, (ms) => during(() => setTimeout(ms * 3, ms)))
    expect(await collect(results)).toEqual([5, 1, 4, 0, 3, 2])
    expect(state.most).toBe(3)
  })

  test('does one at a time with a limit of 1', async () => {
    const { state, during } = gauge()
    await collect(mapOrdered([1, 2, 3], 1, (item) => during(() => setImmediate(item))))
    expect(state.most).toBe(1)
  })

  test('takes no more from the source than the consumer takes from it', async () => {
    const { state, items } = counted(100)
    const results = mapOrdered(items, 4, async (item) => item)
    for (let i = 0; i < 3; i++) await results.next()
    await setTimeout(5)
    expect(state.taken).toBe(6)
    await results.return()
    expect(state.closed).toBe(true)
  })

  test('reports a failure at its turn, after the results before it, and waits for what runs', async () => {
    const { state, items } = counted(100)
    const work = gauge()
    const seen: number[] = []
    const results = mapOrdered(items, 4, (item) =>
      work.during(async () => {
        await setTimeout(item === 2 ? 0 : 10)
        if (item === 2) throw new Error('item 2 failed')
        return item
      }),
    )
    await expect(
      (async () => {
        for await (const item of results) seen.push(item)
      })(),
    ).rejects.toThrow('item 2 failed')
    expect(seen).toEqual([0, 1])
    expect(state.closed).toBe(true)
    expect(work.state.running).toBe(0)
  })

  test('several failures are one rejection, none of them unhandled', async () => {
    const results = mapOrdered([1, 2, 3], 3, async (item) => {
      await setImmediate()
      throw new Error(`item ${item} failed`)
    })
    await expect(collect(results)).rejects.toThrow('item 1 failed')
    await setTimeout(5) // an unhandled rejection would fail the run
  })

  test("passes the source's failure on, and waits for what runs", async () => {
    const work = gauge()
    const { items } = counted(10, 2)
    const results = mapOrdered(items, 4, (item) => work.during(() => setTimeout(5, item)))
    await expect(collect(results)).rejects.toThrow('the source failed')
    expect(work.state).toMatchObject({ running: 0, ended: 2 })
  })

  test('nothing in, nothing out', async () => expect(await collect(mapOrdered([], 3, async (x) => x))).toEqual([]))
})

describe('forEachLimited', () => {
  test('does all, never more than the limit at once', async () => {
    const { state, during } = gauge()
    const done = new Set<number>()
    const { items } = counted(20)
    await forEachLimited(items, 3, (item) => during(async () => void done.add(await setTimeout(item % 4, item))))
    expect(done.size).toBe(20)
    expect(state.most).toBe(3)
  })

  test('rejects with the first failure, begins little more and waits for the rest', async () => {
    const work = gauge()
    const { state, items } = counted(1000)
    const all = forEachLimited(items, 3, (item) =>
      work.during(async () => {
        await setTimeout(item === 5 ? 1 : 4)
        if (item >= 5) throw new Error(`item ${item} failed`)
      }),
    )
    await expect(all).rejects.toThrow('item 5 failed')
    expect(work.state.running).toBe(0)
    expect(state.taken).toBeLessThan(12)
    expect(state.closed).toBe(true)
  })

  test("waits for what runs when the source fails, and passes the source's failure on", async () => {
    const work = gauge()
    const all = forEachLimited(counted(10, 3).items, 5, () => work.during(() => setTimeout(5)))
    await expect(all).rejects.toThrow('the source failed')
    expect(work.state).toMatchObject({ running: 0, ended: 3 })
  })
})

describe('Semaphore', () => {
  test('lets in as many as it should, in order', async () => {
    const semaphore = new Semaphore(2)
    const { state, during } = gauge()
    const order: number[] = []
    const tasks = [0, 1, 2, 3, 4].map((i) =>
      semaphore.run(() =>
        during(async () => {
          order.push(i)
          await setTimeout(5 - i)
          return i
        }),
      ),
    )
    expect(await Promise.all(tasks)).toEqual([0, 1, 2, 3, 4])
    expect(order).toEqual([0, 1, 2, 3, 4])
    expect(state.most).toBe(2)
  })

  test('goes on after a failure', async () => {
    const semaphore = new Semaphore(1)
    await expect(semaphore.run(async () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(await semaphore.run(async () => 'next')).toBe('next')
  })

  test('nobody overtakes a waiter', async () => {
    const semaphore = new Semaphore(1)
    const order: string[] = []
    await semaphore.acquire()
    const waiter = semaphore.acquire().then(() => order.push('waiter'))
    semaphore.release()
    const late = semaphore.acquire().then(() => order.push('late'))
    await waiter
    expect(order).toEqual(['waiter'])
    semaphore.release()
    await late
    expect(order).toEqual(['waiter', 'late'])
  })
})

describe('readAhead', () => {
  test('gives all items in order', async () => {
    for (const depth of [1, 3, 100]) {
      const expected = Array.from({ length: 50 }, (_, i) => i)
      expect(await collect(readAhead(counted(50).items, depth))).toEqual(expected)
    }
  })

  test('pulls as far ahead as it may, and no further', async () => {
    const { state, items } = counted(100)
    const ahead = readAhead(items, 4)
    expect((await ahead.next()).value).toBe(0)
    await setTimeout(5)
    expect(state.taken).toBe(5)
    await ahead.next()
    await setTimeout(5)
    expect(state.taken).toBe(6)
    await ahead.return()
    expect(state).toEqual({ taken: 6, closed: true })
  })

  test('counts what is heavy as more, and takes it all the same', async () => {
    const { state, items } = counted(100)
    const ahead = readAhead(items, 10, (item) => item) // 0, 1, 2 … : weights
    await ahead.next()
    await setTimeout(5)
    expect(state.taken, '1 + 2 + 3 + 4 are enough').toBe(5)
    for (const _ of [1, 2, 3, 4]) await ahead.next()
    await setTimeout(5)
    expect(state.taken, '5 + 6').toBe(7)
    expect((await collect(ahead)).at(-1)).toBe(99)
  })

  test('gives what came before a failure first', async () => {
    const seen: number[] = []
    const reading = (async () => {
      for await (const item of readAhead(counted(10, 3).items, 5)) seen.push(item)
    })()
    await expect(reading).rejects.toThrow('the source failed')
    expect(seen).toEqual([0, 1, 2])
  })

  test('closes the source when the consumer gives up', async () => {
    const { state, items } = counted(100)
    for await (const item of readAhead(items, 8)) if (item === 2) break
    expect(state.closed).toBe(true)
    expect(state.taken).toBeLessThan(13)
  })

  test('a slow source is waited for', async () => {
    async function* slow(): AsyncGenerator<number, void, undefined> {
      for (let i = 0; i < 3; i++) {
        await setTimeout(3)
        yield i
      }
    }
    expect(await collect(readAhead(slow(), 4))).toEqual([0, 1, 2])
  })
})

describe('SharedFate', () => {
  test('what succeeds is none of its business', async () => {
    const fate = new SharedFate()
    expect(await fate.run(async () => 7)).toBe(7)
    expect(await collect(fate.share(counted(3).items))).toEqual([0, 1, 2])
    expect(fate.signal.aborted).toBe(false)
  })

  test('the first failure ends all parts, and is what they all reject', async () => {
    const fate = new SharedFate()
    const first = new Error('first')
    const obeys = fate.run(async () => {
      while (!fate.signal.aborted) await setImmediate()
      throw new Error('because it was told to')
    })
    const { state, items } = counted(100)
    const shared = fate.share(items)
    await shared.next()
    const outcomes = Promise.allSettled([obeys, fate.run(() => Promise.reject(first))])
    expect((await outcomes).map((outcome) => 'reason' in outcome && outcome.reason)).toEqual([first, first])
    expect(fate.signal.aborted).toBe(true)
    await expect(shared.throw(new Error('third'))).rejects.toBe(first)
    expect(state.closed).toBe(true)
  })

  test('a source that fails ends the other parts', async () => {
    const fate = new SharedFate()
    await expect(collect(fate.share(counted(3, 2).items))).rejects.toThrow('the source failed')
    expect(fate.signal.aborted).toBe(true)
    await expect(fate.run(() => Promise.reject(new Error('later')))).rejects.toThrow('the source failed')
  })

  test('whoever may end it from outside can', () => {
    const outer = new AbortController()
    const fate = new SharedFate(outer.signal)
    outer.abort()
    expect(fate.signal.aborted).toBe(true)
  })
})

describe('Unbatched', () => {
  test('hands out what has come at once, and waits for more where nothing is left', async () => {
    const stopped: string[] = []
    async function* batches(): AsyncGenerator<readonly number[]> {
      try {
        yield [1, 2]
        yield []
        yield [3]
        yield [4]
      } finally {
        stopped.push('stopped')
      }
    }
    const items = new Unbatched(batches())
    expect(items.take(), 'nothing was asked for').toBeUndefined()
    expect(await items.wait()).toBe(1)
    expect(items.take()).toBe(2)
    expect(items.take()).toBeUndefined()
    expect(await items.wait(), 'of the batch after an empty one').toBe(3)
    await items.stop()
    expect(stopped).toEqual(['stopped'])
    expect(await items.wait(), 'the end').toBeUndefined()
  })

  test('rejects with what the source does', async () => {
    async function* failing(): AsyncGenerator<readonly number[]> {
      yield [1]
      throw new Error('source failed')
    }
    const items = new Unbatched(failing())
    expect(await items.wait()).toBe(1)
    await expect(items.wait()).rejects.toThrow('source failed')
  })
})
