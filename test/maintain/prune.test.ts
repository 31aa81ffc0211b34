import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { localBackend } from '../../src/backend/local.ts'
import { type BackupOptions, backup } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { encodeLock } from '../../src/format/lock.ts'
import { check } from '../../src/maintain/check.ts'
import { forget } from '../../src/maintain/forget.ts'
import { prune } from '../../src/maintain/prune.ts'
import type { PrunePolicy } from '../../src/maintain/prune-plan.ts'
import { repairPacks } from '../../src/maintain/repair-packs.ts'
import { openRepository } from '../../src/repository/repository.ts'
import { listSnapshots, type StoredSnapshot } from '../../src/repository/snapshots.ts'
import { faultyFileSystem } from '../helpers/faulty-file-system.ts'
import { deadProcess, killHolders } from '../helpers/locks.ts'
import { contentsOf, flipped, type Maintaining, openMaintaining } from '../helpers/maintaining.ts'
import { testEnvironment } from '../helpers/repository.ts'
import { storeSecondCopies } from '../helpers/second-copies.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import type { Listing } from '../helpers/store-tree.ts'

const EVERYTHING: { policy: PrunePolicy } = { policy: { maxUnused: { bytes: 0 } } }
const big = (seed: string): Buffer => seededBytes(seed, 50_000)
/** Some ten chunks in each of those files: enough for lists. */
const CUTS = { minBytes: 1024, averageBytes: 4096, maxBytes: 16_384, level: 1 }

/** Three snapshots: the second shares with the first, the third with both; no pack is used by one alone. */
async function storeThree(it: Maintaining): Promise<[StoredSnapshot, StoredSnapshot, StoredSnapshot]> {
  const shared = { shared: big('shared'), directory: { directory: { inner: big('inner') } } } satisfies Listing
  return [
    await it.store({ ...shared, only: big('first') }, { timeMs: 1 }, CUTS),
    await it.store({ ...shared, only: big('second'), both: big('both') }, { timeMs: 2 }, CUTS),
    await it.store({ shared: big('shared'), only: big('third'), both: big('both') }, { timeMs: 3 }, CUTS),
  ]
}

test('frees exactly what it says, in the plan and afterwards, and nothing that is needed', async () => {
  await using it = await openMaintaining()
  const [first, second, third] = await storeThree(it)
  const contents = await contentsOf(it.repository, third)
  await forget(it.repository, [first.id, second.id])

  const before = it.packBytes()
  const planned = await prune(it.repository, { ...EVERYTHING, dryRun: true })
  expect(it.packBytes()).toBe(before)
  expect(planned.plan.totals).toMatchObject({ bytes: before, unusedBytesLeft: 0 })
  expect(planned.plan.rewrite.length).toBeGreaterThan(0)

  const result = await prune(it.repository, EVERYTHING)
  expect(result).toEqual({ ...planned, plan: expect.anything(), dryRun: false })
  expect(result.plan.totals).toEqual(planned.plan.totals)
  expect(result.bytesFreed).toBe(before - it.packBytes())
  expect(result.bytesFreed).toBe(planned.plan.totals.freedBytes)
  expect(result.objectsFreed).toBe(planned.plan.totals.freedObjects)
  expect(it.packBytes()).toBe(planned.plan.totals.bytesLeft)
  expect(result.bytesFreed).toBeGreaterThan(150_000)

  for (const repository of [it.repository, await it.reopen()]) {
    expect(await contentsOf(repository, third)).toEqual(contents)
    expect(await check(repository, { readData: 'all' })).toMatchObject({ healthy: true, notes: [] })
  }
  expect((await prune(it.repository, EVERYTHING)).plan).toMatchObject({ remove: [], rewrite: [] })
})

test('leaves nothing when there are no snapshots', async () => {
  await using it = await openMaintaining()
  await forget(
    it.repository,
    (await storeThree(it)).map(({ id }) => id),
  )
  await prune(it.repository)
  expect([it.list('data'), it.list('meta'), it.list('locks')]).toEqual([[], [], []])
})

test('keeps waste that the policy allows', async () => {
  await using it = await openMaintaining()
  const [first] = await storeThree(it)
  await forget(it.repository, [first.id])
  const before = it.list('data')
  const { plan } = await prune(it.repository, { policy: { maxUnused: 'unlimited' } })
  expect(plan.totals.unusedBytesLeft).toBeGreaterThan(0)
  expect(it.list('data')).toEqual(before)
})

test('frees second copies of objects', async () => {
  await using it = await openMaintaining()
  const stored = await it.store({ file: big('file') })
  const before = it.packBytes()
  const copies = await openMaintaining()
  try {
    await copies.store({ file: big('file') })
    for (const file of [...copies.list('data'), ...copies.list('meta')]) copy(copies, it, file)
  } finally {
    await copies[Symbol.asyncDispose]()
  }
  const repository = await it.reopen()
  expect(it.packBytes()).toBe(2 * before)
  expect((await prune(repository)).bytesFreed).toBe(before)
  expect(it.packBytes()).toBe(before)
  await contentsOf(await it.reopen(), stored)
})

test('frees no second copy while the first is damaged; once that is repaired, it does', async () => {
  await using it = await openMaintaining()
  const stored = await it.store({ file: big('file') })
  const before = it.packBytes()
  const copied = (await storeSecondCopies(it.repository)).find(({ packClass }) => packClass === 'data')!
  it.change(`data/${copied.first.slice(0, 2)}/${copied.first}`, (bytes) => flipped(bytes, copied.offset + 40))
  const files = [...it.list('data'), ...it.list('meta')]
  await expect(prune(it.repository)).rejects.toMatchObject({
    code: 'CORRUPT',
    message: expect.stringMatching(new RegExp(`${copied.first}.*"chainkeep repair"`)),
  })
  expect([...it.list('data'), ...it.list('meta')]).toEqual(files)
  await repairPacks(it.repository)
  await prune(it.repository, EVERYTHING)
  expect(Math.abs(it.packBytes() - before)).toBeLessThan(500)
  expect(await contentsOf(await it.reopen(), stored)).toEqual({ '/file': big('file').toString('latin1') })
})

/** So much that a pack is on the disk before the last file is read: the open one, those in flight, and one more. */
const SOURCE_FILES = 40
const SOURCE_FILE_BYTES = 4 * 2 ** 20

const HOUR_MS = 3_600_000
const hoursAgo = (hours: number): Date => new Date(Date.now() - hours * HOUR_MS)

test('for a day the next backup uses what an interrupted one has stored', async () => {
  await using it = await openMaintaining()
  const source = it.pathOf('../source')
  mkdirSync(source)
  for (let i = 0; i < SOURCE_FILES; i++) writeFileSync(join(source, `${i}`), seededBytes(i, SOURCE_FILE_BYTES))
  const run = (options?: Partial<BackupOptions>): ReturnType<typeof backup> =>
    backup(it.repository, { paths: [byteStringOf(source)], threads: 1, ...options })
  const interrupt = async (): Promise<void> => {
    const stop = new AbortController()
    const onItem = (): void => void (it.list('data').length > 0 && stop.abort())
    await expect(run({ signal: stop.signal, onItem })).rejects.toMatchObject({ code: 'INTERRUPTED' })
    expect([it.list('tmp'), it.list('locks').length]).toEqual([[], 1])
  }
  await interrupt()
  const left = it.list('data')

  const spared = await prune(it.repository)
  expect(spared).toMatchObject({ packsRemoved: 0, bytesFreed: 0 })
  expect(spared.plan.totals).toMatchObject({ sparedPacks: left.length, sparedBytes: it.packBytes() })
  expect(it.list('data')).toEqual(left)
  const next = await run()
  const total = (await run({ kind: 'full', dryRun: true })).snapshot.summary
  expect(total.chunksAdded).toBe(0)
  expect(next.snapshot.summary.bytesAdded).toBeLessThan(total.totalBytes - left.length * 30 * 2 ** 20)

  await forget(it.repository, [next.id!])
  await prune(it.repository)
  expect(it.list('data')).toEqual(left) // what came after the interruption has gone
  for (const options of [{ graceMs: 0 }, {}]) {
    await interrupt()
    expect(it.list('data').length).toBeGreaterThan(0)
    for (const lock of it.list('locks')) utimesSync(it.pathOf(lock), hoursAgo(22), hoursAgo(22))
    await prune(it.repository, { graceMs: 22.1 * HOUR_MS })
    expect([it.list('data').length > 0, it.list('locks').length]).toEqual([true, 1])
    if (options.graceMs === undefined)
      for (const lock of it.list('locks')) utimesSync(it.pathOf(lock), hoursAgo(24), hoursAgo(24))
    await prune(it.repository, options)
    expect([it.list('data'), it.list('locks')]).toEqual([[], []])
  }
  expect((await run()).snapshot.summary.chunksAdded).toBeGreaterThan(next.snapshot.summary.chunksAdded)
})

test('removes what interrupted runs have left in tmp, once it is certain that nobody is at it', async () => {
  await using it = await openMaintaining()
  await it.store({ file: 'text' })
  const [old, young, dead] = ['00', '11', '22'].map((digits) => it.pathOf(`tmp/${digits.repeat(24)}`))
  for (const file of [old!, young!, dead!]) writeFileSync(file, 'part of a pack')
  utimesSync(old!, hoursAgo(1.1), hoursAgo(1.1))
  const lock = { ...deadProcess('test-host'), mode: 'write' as const, sinceMs: 0, writer: '22'.repeat(8), knows: [] }
  writeFileSync(it.pathOf('locks/ab'), encodeLock(lock))
  const { healthy, notes } = await check(it.repository)
  expect({ healthy, notes }).toMatchObject({ healthy: true, notes: [{ type: 'leftovers', files: 1 }] })
  expect((await prune(it.repository, { dryRun: true })).leftoversRemoved).toBe(0)
  expect(it.list('tmp')).toHaveLength(3)
  expect((await prune(it.repository)).leftoversRemoved).toBe(1)
  expect(it.list('tmp').map((file) => it.pathOf(file))).toEqual([young])
  expect((await check(it.repository)).notes).toEqual([])
})

test('lets stay what a backup has stored and published since the plan was made, and what it has come to need', async () => {
  await using it = await openMaintaining()
  const [first, gone] = [await it.store({ a: big('first') }), await it.store({ b: big('second') })]
  await it.store({ c: big('third') })
  await forget(it.repository, [first.id])
  await prune(it.repository, { ...EVERYTHING, graceMs: 1e9 })
  expect(it.list('condemned')).toHaveLength(1) // whoever prunes next begins with that, and then looks for new snapshots
  await forget(it.repository, [gone.id])

  const { backend } = it.repository
  const { list } = backend
  const published: StoredSnapshot[] = []
  backend.list = async function* (kind) {
    yield* list.call(backend, kind)
    if (kind !== 'snapshots') return
    backend.list = list
    published.push(await it.store({ b: big('second'), d: big('fourth') }))
  }
  await prune(it.repository, EVERYTHING)
  expect(it.list('condemned')).toEqual([])
  const repository = await it.reopen()
  expect(await check(repository, { readData: 'all' })).toMatchObject({ problems: [], snapshots: 2 })
  expect(Object.keys(await contentsOf(repository, published[0]!))).toEqual(['/b', '/d'])
})

test('is stopped by its signal', async () => {
  await using it = await openMaintaining()
  const [first, , third] = await storeThree(it)
  await forget(it.repository, [first.id])
  const stop = new AbortController()
  const pruning = prune(it.repository, {
    ...EVERYTHING,
    signal: stop.signal,
    progress: ({ phase }) => phase === 'pruning packs' && stop.abort(),
  })
  await expect(pruning).rejects.toMatchObject({ code: 'INTERRUPTED' })
  expect(it.list('locks')).toEqual([])
  await contentsOf(it.repository, third)
})

test('sees what another process has written since the index was opened', async () => {
  await using it = await openMaintaining()
  await it.store({ file: 'one' })
  const other = await openRepository(localBackend(it.pathOf('')), testEnvironment(it.pathOf('..')))
  await other.index()
  const stored = await it.store({ file: 'two' })
  await prune(other)
  await other.close()
  await contentsOf(await it.reopen(), stored)
})

test('a program that had the repository open all the while relies on nothing that was pruned away', async () => {
  await using it = await openMaintaining()
  const stored = await it.store({ file: big('file') })
  await forget(it.repository, [stored.id])
  const other = await openRepository(localBackend(it.pathOf('')), testEnvironment(it.pathOf('..')))
  await prune(other)
  await other.close()
  expect(it.list('data')).toEqual([])
  {
    await using _lock = await it.repository.lock('write')
    await it.store({ file: big('file') })
  }
  expect(await check(await it.reopen())).toMatchObject({ healthy: true, snapshots: 1 })
})

const snapshotFile = (it: Maintaining): string => it.list('snapshots')[0]!

test.each<[string, (it: Maintaining) => void, RegExp]>([
  [
    'a snapshot cannot be read',
    (it) => it.change(snapshotFile(it), (bytes) => flipped(bytes, 40)),
    /forget [0-9a-f]{8}/,
  ],
  ['a tree is damaged', (it) => it.change(it.list('meta')[0]!, (bytes) => flipped(bytes, 60)), /chainkeep check/],
  ['a pack is cut off', (it) => it.change(it.list('data')[0]!, (bytes) => bytes.subarray(0, -1)), /is missing/],
])('refuses, and changes nothing, when %s', async (_, damage, message) => {
  await using it = await openMaintaining()
  const [first] = await storeThree(it)
  await forget(it.repository, [first.id])
  await it.repository.close()
  damage(it)
  const repository = await it.reopen()
  await (await repository.index()).rebuild()
  const before = [...it.list('data'), ...it.list('meta')]
  await expect(prune(repository, EVERYTHING)).rejects.toMatchObject({
    code: 'CORRUPT',
    message: expect.stringMatching(message),
  })
  expect([...it.list('data'), ...it.list('meta')]).toEqual(before)
})

test('does not write damaged data again as if it were sound', async () => {
  await using it = await openMaintaining()
  const [first, second, third] = await storeThree(it)
  await forget(it.repository, [first.id, second.id])
  for (const file of it.list('data')) it.change(file, (bytes) => flipped(bytes, 100)) // in the first object, which is shared
  const before = it.list('data')
  await expect(prune(it.repository, EVERYTHING)).rejects.toMatchObject({ code: 'CORRUPT' })
  expect(before.filter((file) => !it.list('data').includes(file)).length).toBeLessThan(before.length)
  expect((await check(it.repository, { readData: 'all' })).problems[0]).toMatchObject({ type: 'object-corrupt' })
  expect(await listSnapshots(it.repository)).toEqual([third])
})

test('stopped at any file call it loses nothing, and the next run finishes the work', {
  timeout: 300_000,
}, async () => {
  let steps = 0
  for (let n = 0; ; n++) {
    await using it = await openMaintaining()
    const [first, second, third] = await storeThree(it)
    const contents = [await contentsOf(it.repository, second), await contentsOf(it.repository, third)]
    await forget(it.repository, [first.id])
    let changes = 0
    // From the nth change on, nothing succeeds any more: as if the process or the disk had died.
    const { files } = faultyFileSystem(({ name }) =>
      ['create', 'write', 'sync', 'rename', 'link', 'remove', 'syncDirectory', 'makeDirectory'].includes(name) &&
      changes++ >= n
        ? 'EIO'
        : undefined,
    )
    const stopped = await prune(await it.reopen(files), EVERYTHING).then(
      () => false,
      () => true,
    )
    const repository = await it.reopen()
    expect(await check(repository, { readData: 'all' })).toMatchObject({ problems: [], healthy: true, snapshots: 2 })
    expect([await contentsOf(repository, second), await contentsOf(repository, third)]).toEqual(contents)
    killHolders(it)
    for (const file of it.list('tmp')) utimesSync(it.pathOf(file), hoursAgo(2), hoursAgo(2)) // of who had no lock yet
    await prune(repository, EVERYTHING)
    expect([it.list('tmp'), it.list('locks'), it.list('condemned')]).toEqual([[], [], []])
    const { plan } = await prune(repository, EVERYTHING)
    expect(plan).toMatchObject({ remove: [], rewrite: [], totals: { unusedBytes: 0 } })
    expect([await contentsOf(repository, second), await contentsOf(repository, third)]).toEqual(contents)
    if (!stopped) break
    steps++
  }
  expect(steps).toBeGreaterThan(20)
})

function copy(from: Maintaining, to: Maintaining, file: string): void {
  mkdirSync(to.pathOf(file.slice(0, file.lastIndexOf('/'))), { recursive: true })
  from.change(file, (bytes) => {
    writeFileSync(to.pathOf(file), bytes)
    return bytes
  })
}
