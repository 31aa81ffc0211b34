import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileCacheReader, FileCacheWriter } from '../../src/backup/file-cache.ts'
import type { FindKept } from '../../src/backup/grown-files.ts'
import {
  ancestorSignature,
  entriesIn,
  type PlannedItem,
  type PlanOptions,
  planReads,
} from '../../src/backup/plan-reads.ts'
import type { BegunSegment, FileReader } from '../../src/backup/read-files.ts'
import { normalisePaths, type SourceEvent, walkSource } from '../../src/backup/walk.ts'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { parseObjectId } from '../../src/base/ids.ts'
import { compilePatterns } from '../../src/repository/path-patterns.ts'
import type { Part } from '../../src/worker/cut.ts'
import { fileSignature } from '../../src/worker/file-signature.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
beforeEach(async () => {
  tmp = await temporaryDirectory()
  mkdirSync(join(tmp.path, 's'))
})
afterEach(() => tmp[Symbol.asyncDispose]())

const SEGMENT = 2 ** 20
const TREE = parseObjectId('5a'.repeat(32))
const file = (name: string, content = name): void => writeFileSync(join(tmp.path, name), content)

const remove = (name: string): void => rmSync(join(tmp.path, name), { recursive: true })

/** A reader that reads nothing, and writes down what it is asked to. */
function fakeReader(): { reader: FileReader; calls: string[] } {
  const calls: string[] = []
  const reader = {
    partsOf: (size: number, from = 0) =>
      Array.from({ length: Math.ceil((size - from) / SEGMENT) }, (_, i) => ({
        offset: from + i * SEGMENT,
        length: SEGMENT,
      })),
    async begin(path: ByteString, { offset }: Part): Promise<BegunSegment> {
      calls.push(`${path.slice(tmp.path.length + 1)} ${offset / SEGMENT}`)
      return { result: new Promise(() => {}) }
    },
    async flush() {
      if (calls.at(-1) !== 'flush') calls.push('flush')
    },
  }
  return { reader: reader as unknown as FileReader, calls }
}

const events = (): Iterable<SourceEvent> =>
  walkSource({
    paths: normalisePaths([byteStringOf(join(tmp.path, 's'))]),
    excludes: compilePatterns([]),
    excludeIfPresent: [],
    oneFileSystem: false,
    leaveOut: [],
    onLeftOut: () => {},
    onError: () => {},
  })

async function plan(options: Partial<PlanOptions> = {}, reader = fakeReader().reader): Promise<PlannedItem[]> {
  const items: PlannedItem[] = []
  for await (const batch of planReads(events(), reader, { cache: undefined, trustCache: true, ...options }))
    items.push(...batch)
  return items
}

/** Remembers everything as it is now, as a backup would that began at `startMs`. */
function remember(startMs: number): void {
  using writer = new FileCacheWriter(tmp.path, startMs)
  for (const event of events()) {
    const cached = (): { signature: string; node: Uint8Array } => {
      const stats = lstatSync(event.path, { bigint: true })
      const isAncestor = join(tmp.path, 's').startsWith(`${event.path}/`)
      const signature = isAncestor ? ancestorSignature(stats) : fileSignature(stats)
      return { signature, node: Buffer.from(`node of ${event.path}`) }
    }
    if (event.type === 'enter') writer.enter(event.name)
    else if (event.type === 'leave') writer.leave(cached())
    else writer.entry(event.name, cached())
  }
  writer.leave({ signature: '', node: new Uint8Array(0) })
  writer.commit(TREE)
}

async function planWithCache(options: Partial<PlanOptions> = {}): Promise<PlannedItem[]> {
  using cache = FileCacheReader.open(tmp.path, TREE)
  return await plan({ cache, ...options })
}

/** Items below the source, in short. */
function outline(items: readonly PlannedItem[]): string[] {
  return items.flatMap((item) => {
    if (item.type === 'segment') return ['segment']
    if (item.type === 'unmodified') return item.entries.map(({ path }) => `same ${path.slice(tmp.path.length + 1)}`)
    if (!item.path.startsWith(`${tmp.path}/`)) return []
    const name = item.path.slice(tmp.path.length + 1)
    if (item.type === 'enter') return [`enter ${name}${item.wasThere ? '' : ' new'}`]
    if (item.type === 'leave') return [`leave ${name}${item.shrunk ? ' shrunk' : ''}`]
    return [`${item.isLink ? 'link' : item.cached ? 'changed' : 'new'} ${name}`]
  })
}

test('without a cache everything is new, and segments follow their file', async () => {
  mkdirSync(join(tmp.path, 's/d'))
  for (const name of ['s/a', 's/d/b', 's/z']) file(name)
  file('s/empty', '')
  truncateSync(join(tmp.path, 's/z'), 2 * SEGMENT + 1)
  symlinkSync('a', join(tmp.path, 's/link'))
  const { reader, calls } = fakeReader()
  const items = await plan({}, reader)
  expect(outline(items)).toEqual(
    ['enter s new', 'new s/a', 'segment', 'enter s/d new', 'new s/d/b', 'segment', 'leave s/d', 'new s/empty'].concat([
      'new s/link',
      'new s/z',
      'segment',
      'segment',
      'segment',
      'leave s',
    ]),
  )
  expect(calls).toEqual(['s/a 0', 's/d/b 0', 'flush', 's/z 0', 's/z 1', 's/z 2', 'flush'])
  expect(items.at(-1)).toEqual({ type: 'leave', path: '/', cached: undefined, unmodified: false, shrunk: false })
})

test('a file of several names is read once; other things of several names are no matter', async () => {
  file('s/a')
  linkSync(join(tmp.path, 's/a'), join(tmp.path, 's/b'))
  linkSync(join(tmp.path, 's/a'), join(tmp.path, 's/c'))
  symlinkSync('a', join(tmp.path, 's/l1'))
  linkSync(join(tmp.path, 's/l1'), join(tmp.path, 's/l2'))
  const { reader, calls } = fakeReader()
  expect(outline(await plan({}, reader)).slice(1, -1)).toEqual([
    'new s/a',
    'segment',
    'link s/b',
    'link s/c',
    'new s/l1',
    'new s/l2',
  ])
  expect(calls).toEqual(['s/a 0', 'flush'])
})

describe('with a cache', () => {
  beforeEach(async () => {
    mkdirSync(join(tmp.path, 's/d'))
    for (const name of ['s/a', 's/d/x', 's/d/y', 's/e']) file(name)
    await setTimeout(30)
    remember(Date.now())
  })
  const SAME = ['enter s', 'same s/a', 'enter s/d', 'same s/d/x', 'same s/d/y', 'leave s/d', 'same s/e', 'leave s']

  test('what is as it was is not read', async () => {
    const items = await planWithCache()
    expect(outline(items)).toEqual(SAME)
    const unmodified = items.find((item) => item.type === 'unmodified')
    expect(Buffer.from(unmodified!.entries[0]!.cached.node).toString()).toBe(`node of ${tmp.path}/s/a`)
    expect(items.at(-1)).toMatchObject({ path: '/', shrunk: false, cached: { signature: '' } })
  })

  test('unless it is not to be trusted; then it is compared with all the same', async () => {
    expect(outline(await planWithCache({ trustCache: false }))).toEqual(
      SAME.flatMap((text) => (text.startsWith('same') ? [text.replace('same', 'changed'), 'segment'] : [text])),
    )
  })

  test('what changed is read, what is gone shows in its directory alone', async () => {
    file('s/d/x', 'other')
    file('s/b')
    remove('s/d/y')
    expect(outline(await planWithCache())).toEqual(
      ['enter s', 'same s/a', 'new s/b', 'segment', 'enter s/d', 'changed s/d/x', 'segment', 'leave s/d shrunk'].concat(
        ['same s/e', 'leave s'],
      ),
    )
  })

  test('what is of another type now is new, and shows in its directory', async () => {
    remove('s/a')
    mkdirSync(join(tmp.path, 's/a'))
    file('s/a/in')
    remove('s/d')
    file('s/d')
    expect(outline(await planWithCache())).toEqual([
      'enter s',
      'enter s/a new',
      'new s/a/in',
      'segment',
      'leave s/a',
      'new s/d',
      'segment',
      'same s/e',
      'leave s shrunk',
    ])
  })

  test('a directory is what it was unless something of its own has changed; one above the source, but for its times', async () => {
    const changed = async (options?: Partial<PlanOptions>): Promise<string[]> =>
      (await planWithCache(options)).flatMap((item) =>
        item.type === 'leave' && !item.unmodified && item.path !== '/' ? [item.path] : [],
      )
    const [above, source, directory] = ['', 's', 's/d'].map((name) => join(tmp.path, name).replace(/\/$/, ''))
    utimesSync(above!, 1, 1)
    expect(await changed()).toEqual([])
    expect(await changed({ trustCache: false })).toEqual([directory, source])
    chmodSync(directory!, 0o710)
    expect(await changed()).toEqual([directory])
    chmodSync(above!, 0o710)
    file('s/new')
    expect(await changed()).toEqual([directory, source, above])
  })

  test.each([
    ['a tick before', 10, 'changed s/a'],
    ['after', -1000, 'changed s/a'],
    ['well before', 60, 'same s/a'],
  ])('what last changed %s the backup that remembers it began is read again if it must be', async (_, age, answer) => {
    const { ctimeNs } = lstatSync(join(tmp.path, 's/a'), { bigint: true })
    remember(Math.floor(Number(ctimeNs / 1_000_000n)) + age)
    expect(outline(await planWithCache())[1]).toBe(answer)
  })

  test('a file system without fractions of a second gets two', async () => {
    const { ctimeNs } = lstatSync(join(tmp.path, 's/a'), { bigint: true })
    const second = (ctimeNs / 1_000_000_000n) * 1_000_000_000n
    for (const [age, type] of [
      [1000, 'entry'],
      [3000, 'unmodified'],
    ] as const) {
      const stats = Object.assign(lstatSync(join(tmp.path, 's/a'), { bigint: true }), { ctimeNs: second })
      const event = { type: 'entry', path: '/a' as ByteString, name: 'a' as ByteString, stats } as const
      const cache = {
        startMs: Number(second / 1_000_000n) + age,
        entry: () => ({ signature: fileSignature(stats), node: new Uint8Array(0) }),
        leave: () => undefined,
      } as unknown as FileCacheReader
      const items = planReads([event], fakeReader().reader, { cache, trustCache: true })
      const { value } = await items.next()
      expect(value![0]).toMatchObject({ type })
    }
  })
})

describe('what has begun is never left waiting', () => {
  test('when the walk fails', async () => {
    file('s/a')
    const { reader, calls } = fakeReader()
    function* failing(): Generator<SourceEvent> {
      for (const event of events()) {
        yield event
        if (event.path.endsWith('/s/a')) throw new Error('walk failed')
      }
    }
    const items = planReads(failing(), reader, { cache: undefined, trustCache: true })
    const all = async (): Promise<void> => {
      for await (const _ of items);
    }
    await expect(all()).rejects.toThrow('walk failed')
    expect(calls).toEqual(['s/a 0', 'flush'])
  })

  test('and what need not be read goes on in batches, before what comes after it', async () => {
    for (let i = 0; i < 600; i++) file(`s/${String(i).padStart(3, '0')}`)
    file('t')
    await setTimeout(30)
    remember(Date.now())
    const items = (await planWithCache()).filter(({ type }) => type === 'unmodified')
    expect(entriesIn(items)).toBe(600)
    expect(items.length).toBeLessThanOrEqual(4)
    expect(Math.max(...items.map((item) => entriesIn([item])))).toBeLessThanOrEqual(256)
    expect(outline(items)).toEqual([...outline(items)].sort())
  })

  test('nor does what is read wait for many entries more before it is passed on', async () => {
    for (let i = 10; i < 30; i++) {
      file(`s/${i}`)
      truncateSync(join(tmp.path, `s/${i}`), SEGMENT)
    }
    const read: number[] = []
    for await (const batch of planReads(events(), fakeReader().reader, { cache: undefined, trustCache: true }))
      read.push(batch.filter(({ type }) => type === 'segment').length)
    expect(read).toEqual([4, 4, 4, 4, 4, 0])
  })

  test('in the middle of many entries', async () => {
    for (let i = 0; i < 600; i++) file(`s/${i}`)
    const { reader, calls } = fakeReader()
    await plan({}, reader)
    expect(calls.filter((call) => call === 'flush')).toHaveLength(3)
  })
})

describe('what is kept of a file', () => {
  const CONTENT = { height: 1, id: parseObjectId('77'.repeat(32)) }
  const keeping =
    (asked: string[]): FindKept =>
    async (path, _, cached) => {
      asked.push(`${path.slice(tmp.path.length + 1)} ${Buffer.from(cached.node)}`)
      return { content: CONTENT, size: 9 * SEGMENT, end: SEGMENT + 7 }
    }

  test('is asked of those that were there and have changed, and what follows is read', async () => {
    for (const name of ['s/changed', 's/same']) file(name)
    remember(Date.now() + 60_000)
    file('s/new')
    truncateSync(join(tmp.path, 's/changed'), 3 * SEGMENT)
    const asked: string[] = []
    const { reader, calls } = fakeReader()
    using cache = FileCacheReader.open(tmp.path, TREE)
    const items = await plan({ cache, findKept: keeping(asked) }, reader)
    expect(asked).toEqual([`s/changed node of ${join(tmp.path, 's/changed')}`])
    expect(
      items.flatMap((item) => (item.type === 'entry' ? [[item.name, item.segments, item.kept?.end]] : [])),
    ).toEqual([
      ['changed', 2, SEGMENT + 7],
      ['new', 1, undefined],
    ])
    expect(calls[1]).toBe(`s/changed ${1 + 7 / SEGMENT}`)
  })

  test('is not asked where nothing is trusted, nor of further names of a file', async () => {
    file('s/a')
    linkSync(join(tmp.path, 's/a'), join(tmp.path, 's/b'))
    remember(Date.now() + 60_000)
    file('s/a', 'longer than before')
    const asked: string[] = []
    await planWithCache({ trustCache: false, findKept: keeping(asked) })
    expect(asked).toEqual([])
    await planWithCache({ findKept: keeping(asked) })
    expect(asked).toHaveLength(1)
  })
})

describe('an interruption is heard of', () => {
  test('among many entries', async () => {
    for (let i = 0; i < 600; i++) file(`s/${i}`)
    await expect(plan({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })

  test('within one large file', async () => {
    file('s/large')
    truncateSync(join(tmp.path, 's/large'), 100 * SEGMENT)
    const { reader, calls } = fakeReader()
    const controller = new AbortController()
    const begin = reader.begin.bind(reader)
    reader.begin = (path, part) => {
      if (part.offset === 3 * SEGMENT) controller.abort()
      return begin(path, part)
    }
    await expect(plan({ signal: controller.signal }, reader)).rejects.toMatchObject({ code: 'INTERRUPTED' })
    expect(calls).toEqual(['flush', 's/large 0', 's/large 1', 's/large 2', 's/large 3', 'flush'])
  })
})
