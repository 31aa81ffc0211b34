import { copyFileSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { isCode } from '../../src/base/errors.ts'
import { parsePackId } from '../../src/base/ids.ts'
import { RECORD_HEADER_BYTES } from '../../src/format/object.ts'
import { type CheckReport, check } from '../../src/maintain/check.ts'
import type { Problem } from '../../src/maintain/problem.ts'
import { rememberPacks } from '../../src/repository/known-packs.ts'
import { readPackTrailer } from '../../src/repository/pack-trailer.ts'
import type { StoredSnapshot } from '../../src/repository/snapshots.ts'
import { contentsOf, flipped, type Maintaining, openMaintaining } from '../helpers/maintaining.ts'
import { storeSecondCopies } from '../helpers/second-copies.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const ALL = { readData: 'all' } as const

/** Two snapshots that share a file, in packs of their own; the second has a file that the first has not. */
async function storeTwo(it: Maintaining): Promise<[StoredSnapshot, StoredSnapshot]> {
  const shared = { directory: { directory: { shared: seededBytes('shared', 5000) } } }
  return [
    await it.store({ ...shared, own: 'of the first' }, { timeMs: 1 }),
    await it.store({ ...shared, own: 'of the second', more: seededBytes('more', 5000) }, { timeMs: 2 }),
  ]
}

/** By snapshot: what is damaged in it. */
function lossesIn(report: CheckReport): Record<string, string[]> {
  return Object.fromEntries(
    report.damagedSnapshots.map(({ snapshot, losses }) => [
      snapshot.timeMs,
      losses.listed.map(({ path }) => path as string),
    ]),
  )
}

const typesOf = ({ problems }: CheckReport): string[] => [...new Set(problems.map(({ type }) => type))]

/** The data pack that holds the shared file, and the one that does not. */
function dataPacks(it: Maintaining): { shared: string; more: string } {
  const [a, b] = it.list('data')
  const isShared = (file: string): boolean => readFileSync(it.pathOf(file)).includes(Buffer.from('of the first'))
  return isShared(a!) ? { shared: a!, more: b! } : { shared: b!, more: a! }
}

describe('a sound repository', () => {
  test('has no problems', async () => {
    await using it = await openMaintaining()
    await storeTwo(it)
    const objects = (await it.repository.index()).ordinalLimit
    const bytes = it.packBytes()
    const none = { problems: [], problemCount: 0, damagedSnapshots: [], notes: [] }
    const sound = { snapshots: 2, packs: 4, objects, bytes, ...none }
    expect(await check(it.repository)).toEqual({ ...sound, packsRead: 0, bytesRead: 0, healthy: true })
    const report = await check(it.repository, ALL)
    expect(report).toEqual({ ...sound, packsRead: 4, bytesRead: bytes, healthy: true })
  })

  test('may be empty', async () => {
    await using it = await openMaintaining()
    expect(await check(it.repository, ALL)).toMatchObject({ snapshots: 0, packs: 0, healthy: true })
  })

  test('may hold packs that no snapshot needs', async () => {
    await using it = await openMaintaining()
    const [first] = await storeTwo(it)
    await it.repository.backend.remove('snapshots', first.id)
    await it.store({ other: 'other' }).then(({ id }) => it.repository.backend.remove('snapshots', id))
    const report = await check(it.repository)
    expect(report.healthy).toBe(true)
    expect(report.notes).toMatchObject([{ type: 'unused', packs: 2 }])
  })

  test('is read in parts that are all of it together', async () => {
    await using it = await openMaintaining()
    await storeTwo(it)
    const halves = [1, 2].map((part) => check(it.repository, { readData: { part, of: 2 } }))
    const read = (await Promise.all(halves)).reduce((sum, { bytesRead }) => sum + bytesRead, 0)
    expect(read).toBe(it.packBytes())
  })

  test('with enough data for threads', async () => {
    await using it = await openMaintaining()
    const cuts = { minBytes: 16_384, averageBytes: 65_536, maxBytes: 262_144, level: 1 }
    await it.store({ big: seededBytes('big', 12_000_000) }, {}, cuts)
    expect(await check(it.repository, { ...ALL, threads: 2 })).toMatchObject({
      healthy: true,
      bytesRead: it.packBytes(),
    })
    it.change(it.list('data')[0]!, (bytes) => flipped(bytes, 11_000_000))
    expect(typesOf(await check(it.repository, { ...ALL, threads: 2 }))).toEqual(['object-corrupt'])
  })
})

describe('names the file, the kind of damage, and what suffers from it:', () => {
  test('a flipped byte in a snapshot', async () => {
    await using it = await openMaintaining()
    const [first] = await storeTwo(it)
    it.change(`snapshots/${first.id}`, (bytes) => flipped(bytes, bytes.length - 1))
    const report = await check(it.repository)
    expect(report.problems).toEqual([
      { type: 'snapshot-unreadable', id: first.id, message: expect.stringContaining(`snapshots/${first.id}`) },
    ])
    expect(report.damagedSnapshots).toEqual([])
  })

  test('a snapshot in the place of another', async () => {
    await using it = await openMaintaining()
    const [first, second] = await storeTwo(it)
    copyFileSync(it.pathOf(`snapshots/${first.id}`), it.pathOf(`snapshots/${second.id}`))
    expect((await check(it.repository)).problems).toMatchObject([{ type: 'snapshot-unreadable', id: second.id }])
  })

  test('a flipped byte in data: only reading it tells', async () => {
    await using it = await openMaintaining()
    await storeTwo(it)
    const file = dataPacks(it).shared
    it.change(file, (bytes) => flipped(bytes, 1000))
    expect((await check(it.repository)).healthy).toBe(true)
    const report = await check(it.repository, ALL)
    expect(report).toMatchObject({ problemCount: 1, healthy: false, packsRead: 4 })
    expect(report.problems).toMatchObject([
      {
        type: 'object-corrupt',
        kind: 'chunk',
        packClass: 'data',
        pack: basename(file),
        message: expect.stringContaining(`data/${basename(file)}`),
      },
    ])
    expect(lossesIn(report)).toEqual({ 1: ['/directory/shared'], 2: ['/directory/shared'] })
  })

  test('a flipped byte in metadata', async () => {
    await using it = await openMaintaining()
    const [first] = await storeTwo(it)
    const index = await it.repository.index()
    const [location] = await index.locate('tree', Buffer.from(first.snapshot.tree, 'hex'))
    const file = `meta/${location!.pack.slice(0, 2)}/${location!.pack}`
    it.change(file, (bytes) => flipped(bytes, location!.offset + 40))
    const report = await check(it.repository)
    expect(report.problems).toMatchObject([
      { type: 'object-corrupt', kind: 'tree', packClass: 'meta', pack: location!.pack, offset: location!.offset },
    ])
    expect(lossesIn(report)).toEqual({ 1: ['/'] })
    expect(await check(it.repository, ALL)).toMatchObject({ problemCount: 1 })
  })

  test.each<[string, (path: string, other: string) => void, Problem['type']]>([
    ['cut off', (path) => truncateSync(path, statSync(path).size - 1), 'pack-length'],
    ['cut down to nothing', (path) => truncateSync(path, 0), 'pack-length'],
    ['longer', (path) => truncateSync(path, statSync(path).size + 1), 'pack-length'],
    ['another pack', (path, other) => copyFileSync(other, path), 'pack-length'],
  ])('a pack that is %s', async (_, damage, type) => {
    await using it = await openMaintaining()
    await storeTwo(it)
    const { shared, more } = dataPacks(it)
    const expectedBytes = statSync(it.pathOf(more)).size
    damage(it.pathOf(more), it.pathOf(shared))
    const { size } = statSync(it.pathOf(more))
    const report = await check(it.repository)
    expect(report.problems).toMatchObject([{ type, packClass: 'data', id: basename(more), bytes: size, expectedBytes }])
    expect(report.problems[0]!.message).toContain(`; the file has ${size} bytes where ${expectedBytes} were written`)
    expect(lossesIn(report)).toEqual({ 2: ['/more', '/own'] })
    expect((await check(it.repository, ALL)).problems).toEqual(report.problems)

    const unknown = await check(await it.reopen(), ALL) // the index is as before
    expect(unknown.problems).toEqual(report.problems)
    rmSync(it.pathOf('index'), { recursive: true })
    const rebuilt = await check(await it.reopen(), ALL)
    expect(rebuilt.problems[0]).toMatchObject({ type: 'pack-unreadable', packClass: 'data', id: basename(more) })
    expect(typesOf(rebuilt)).toEqual(['pack-unreadable', 'object-missing'])
    expect(lossesIn(rebuilt)).toEqual({ 2: ['/more', '/own'] })
  })

  test.each([
    ['header', 3],
    ['trailer', -64 - 10],
    ['footer', -30],
    ['end', -1],
  ])('a flipped byte in the %s of a pack', async (_, at) => {
    await using it = await openMaintaining()
    await storeTwo(it)
    const file = dataPacks(it).more
    it.change(file, (bytes) => flipped(bytes, at < 0 ? bytes.length + at : at))
    const report = await check(it.repository)
    expect(report.problems).toMatchObject([{ type: 'pack-unreadable', packClass: 'data', id: basename(file) }])
    expect(lossesIn(report)).toEqual({ 2: ['/more', '/own'] })
  })

  test('an object of which another copy is sound: the pack, and no snapshot before that is damaged, too', async () => {
    await using it = await openMaintaining()
    await it.store({ file: 'text' }, { timeMs: 1 })
    const copied = await storeSecondCopies(it.repository)
    for (const { packClass, first, offset } of copied)
      it.change(`${packClass}/${first.slice(0, 2)}/${first}`, (bytes) => flipped(bytes, offset + RECORD_HEADER_BYTES))
    const report = await check(it.repository, ALL)
    expect(typesOf(report)).toEqual(['object-corrupt'])
    expect(report.damagedSnapshots).toEqual([])
    const { packClass, second, offset } = copied.find((each) => each.packClass === 'data')!
    it.change(`${packClass}/${second.slice(0, 2)}/${second}`, (bytes) => flipped(bytes, offset + RECORD_HEADER_BYTES))
    expect(lossesIn(await check(it.repository, ALL))).toEqual({ 1: ['/file'] })
  })

  test('a pack that is gone', async () => {
    await using it = await openMaintaining()
    await storeTwo(it)
    const { shared } = dataPacks(it)
    rmSync(it.pathOf(shared))
    const report = await check(it.repository)
    expect(typesOf(report)).toEqual(['pack-missing', 'object-missing'])
    const objects = report.problems.length - 1
    expect(report.problems[0]).toEqual({
      type: 'pack-missing',
      packClass: 'data',
      id: basename(shared),
      objects,
      message: `data/${basename(shared)}: the file is gone, and with it ${objects} objects that are needed`,
    })
    expect(report.problems[1]).toMatchObject({ kind: 'chunk', path: '/own' })
    expect(lossesIn(report)).toEqual({ 1: ['/directory/shared', '/own'], 2: ['/directory/shared'] })
    expect(await check(await it.reopen())).toEqual(report) // although the index has left it out since
  })

  test('packs that are gone, by what the index or this machine remembers', async () => {
    await using it = await openMaintaining()
    await storeTwo(it)
    await rememberPacks(it.repository, [])
    const { shared, more } = dataPacks(it)
    for (const file of [shared, more]) rmSync(it.pathOf(file))
    const gone = [basename(shared), basename(more)].sort()
    const report = await check(await it.reopen())
    const named = report.problems.slice(0, 2).map((problem) => (problem.type === 'pack-missing' ? problem.id : ''))
    expect(named.sort()).toEqual(gone)
    expect(report.notes).toEqual([])
    await it.repository.close()
    rmSync(it.pathOf('index'), { recursive: true })
    const forgotten = await check(await it.reopen())
    expect(typesOf(forgotten)).toEqual(['object-missing'])
    expect(forgotten.notes).toMatchObject([{ type: 'packs-gone', message: expect.stringContaining(gone[0]!) }])
    expect(forgotten.notes.flatMap((note) => (note.type === 'packs-gone' ? note.packs : [])).sort()).toEqual(gone)
  })

  test('all data that is gone, in a bounded report', async () => {
    await using it = await openMaintaining()
    const files = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`file ${i}`, `text ${i}`]))
    await it.store(files)
    for (const file of it.list('data')) rmSync(it.pathOf(file))
    const report = await check(it.repository)
    expect(report.problems).toHaveLength(1000)
    expect(report.problemCount).toBe(1501)
    expect(report.problems[0]).toMatchObject({ type: 'pack-missing', objects: 1500 })
    expect(report.damagedSnapshots[0]!.losses).toMatchObject({ count: 1500, files: 1500 })
    expect(report.damagedSnapshots[0]!.losses.listed).toHaveLength(1000)
  })
})

test('every flipped byte of every pack is found', async () => {
  await using it = await openMaintaining()
  await it.store({ file: 'some text that is a little longer', directory: { directory: { inner: 'inner' } } })
  for (const file of [...it.list('data'), ...it.list('meta')]) {
    const sound = readFileSync(it.pathOf(file))
    for (let at = 0; at < sound.length; at++) {
      it.change(file, () => flipped(sound, at))
      const report = await check(it.repository, ALL)
      const names = report.problems.map((it) => ('pack' in it ? it.pack : 'id' in it ? it.id : it.type))
      expect({ at, names }).toEqual({ at, names: expect.arrayContaining([basename(file)]) })
    }
    it.change(file, () => sound)
  }
  expect((await check(it.repository, ALL)).healthy).toBe(true)
})

test('a snapshot that goes with its packs while it is looked at is no damage', async () => {
  await using it = await openMaintaining()
  await it.store({ own: seededBytes('forgotten', 5000) }, { timeMs: 1 })
  const files = [...it.list('data'), ...it.list('meta'), ...it.list('snapshots')]
  await it.store({ own: seededBytes('kept', 5000) }, { timeMs: 2 })
  const repository = await it.reopen()
  const { backend } = repository
  const list = backend.list.bind(backend)
  let isGone = false
  vi.spyOn(backend, 'list').mockImplementation(async function* (kind) {
    if (kind === 'data' && !isGone) for (const file of files) rmSync(it.pathOf(file))
    isGone ||= kind === 'data' // after the snapshots were listed, before the index is compared with the packs
    yield* list(kind)
  })
  expect(await check(repository)).toMatchObject({ problems: [], snapshots: 1 })
  expect(isGone).toBe(true)
})

test('an index that is wrong is built again', async () => {
  await using it = await openMaintaining()
  const [first] = await storeTwo(it)
  const index = await it.repository.index()
  const [pack] = [...index.packs()].filter(({ packClass }) => packClass === 'data')
  const entries = await readPackTrailer(it.repository.backend, 'data', pack!.id)
  await index.dropPacks([pack!.id])
  const wrong = entries.map((entry) => ({ ...entry, offset: entry.offset + 1 }))
  await index.addPack(parsePackId(pack!.id), pack!.bytes, wrong)
  const repository = await it.reopen()
  await expect(contentsOf(repository, first)).rejects.toSatisfy((error) => isCode(error, 'BAD_FORMAT', 'CORRUPT'))
  expect(await check(repository)).toMatchObject({ healthy: true, notes: [{ type: 'index-rebuilt', packs: 1 }] })
  expect(await check(repository)).toMatchObject({ healthy: true, notes: [] })
  await contentsOf(repository, first)
})

test('is stopped by its signal', async () => {
  await using it = await openMaintaining()
  await storeTwo(it)
  for (const [phase, options] of [
    ['checking packs', {}],
    ['finding what is used', {}],
    ['reading data', ALL],
  ] as const) {
    const stop = new AbortController()
    const checking = check(it.repository, {
      ...options,
      signal: stop.signal,
      progress: (state) => state.phase === phase && stop.abort(),
    })
    await expect(checking).rejects.toMatchObject({ code: 'INTERRUPTED' })
  }
})
