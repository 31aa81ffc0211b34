import { rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { localBackend } from '../../src/backend/local.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { packIdAt, parsePackId } from '../../src/base/ids.ts'
import { check } from '../../src/maintain/check.ts'
import { repairIndex } from '../../src/maintain/repair-index.ts'
import { repairPacks } from '../../src/maintain/repair-packs.ts'
import { repairSnapshots } from '../../src/maintain/repair-snapshots.ts'
import { readPackTrailer } from '../../src/repository/pack-trailer.ts'
import { openRepository } from '../../src/repository/repository.ts'
import { listSnapshots, loadSnapshot, REPAIRED_TAG, type StoredSnapshot } from '../../src/repository/snapshots.ts'
import { faultyFileSystem } from '../helpers/faulty-file-system.ts'
import { contentsOf, flipped, type Maintaining, openMaintaining } from '../helpers/maintaining.ts'
import { readNodes } from '../helpers/repository.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { asNobody } from '../helpers/unprivileged.ts'

const ALL = { readData: 'all' } as const

describe('repair packs', () => {
  test('saves what is sound, in every kind of damage, and removes the rest', async () => {
    for (const damage of [
      (bytes: Buffer) => flipped(bytes, 60), // the first object
      (bytes: Buffer) => flipped(flipped(bytes, 60), bytes.length - 70), // and the trailer
      (bytes: Buffer) => flipped(bytes.subarray(0, bytes.length >> 1), 60),
      (bytes: Buffer) => Buffer.concat([flipped(bytes, 60), Buffer.alloc(10)]),
    ]) {
      await using it = await openMaintaining()
      const stored = await it.store({ a: seededBytes('a', 3000), b: seededBytes('b', 3000) })
      const [file] = it.list('data')
      const id = basename(file!)
      const objects = (await readPackTrailer(it.repository.backend, 'data', parsePackId(id))).length
      it.change(file!, damage)

      const planned = await repairPacks(it.repository, { dryRun: true })
      expect(it.list('data')).toEqual([file])
      const [repaired, ...others] = await repairPacks(it.repository)
      expect(others).toEqual([])
      expect([repaired]).toEqual(planned)
      expect(repaired).toMatchObject({ packClass: 'data', id })
      expect(repaired!.salvaged + repaired!.lost!).toBe(objects)
      expect(repaired!.salvaged).toBeGreaterThan(5)
      expect(repaired!.lost).toBeGreaterThan(0)

      expect(it.list('data')).not.toContain(file)
      const report = await check(await it.reopen(), ALL)
      expect(report.problems.map(({ type }) => type)).toEqual(Array(repaired!.lost).fill('object-missing'))
      expect(report.damagedSnapshots).toMatchObject([{ id: stored.id }])
      expect(await repairPacks(it.repository)).toEqual([])
    }
  })

  test('loses nothing of a pack whose end alone is damaged', async () => {
    await using it = await openMaintaining()
    const stored = await it.store({ a: seededBytes('a', 3000) })
    const contents = await contentsOf(it.repository, stored)
    for (const file of [...it.list('data'), ...it.list('meta')])
      it.change(file, (bytes) => flipped(bytes, bytes.length - 1))
    rmSync(it.pathOf('index'), { recursive: true, force: true })
    const repository = await it.reopen()
    const repaired = await repairPacks(repository)
    expect(repaired.map(({ packClass, lost }) => [packClass, lost]).sort()).toEqual([
      ['data', undefined],
      ['meta', undefined],
    ])
    expect(await check(await it.reopen(), ALL)).toMatchObject({ healthy: true })
    expect(await contentsOf(it.repository, stored)).toEqual(contents)
  })

  test('leaves sound packs alone, unless told to', async () => {
    await using it = await openMaintaining()
    const stored = await it.store({ a: seededBytes('a', 3000) })
    const before = it.list('data')
    expect(await repairPacks(it.repository)).toEqual([])
    expect(it.list('data')).toEqual(before)
    const id = parsePackId(basename(before[0]!))
    expect(await repairPacks(it.repository, { packs: [id] })).toMatchObject([{ id, lost: 0 }])
    expect(it.list('data')).not.toEqual(before)
    await contentsOf(await it.reopen(), stored)
  })

  test('refuses a pack that is not there', async () => {
    await using it = await openMaintaining()
    const id = packIdAt(seededBytes('absent', 32))
    await expect(repairPacks(it.repository, { packs: [id] })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('keeps a pack that the disk cannot read now: it may be able to tomorrow', async () => {
    await using it = await openMaintaining()
    await it.store({ a: seededBytes('a', 3000) })
    const [file] = it.list('data')
    const { files } = faultyFileSystem(({ name, path }) =>
      name === 'read' && path.endsWith(file!) ? 'EIO' : undefined,
    )
    const repository = await it.reopen(files)
    expect((await check(repository)).problems).toMatchObject([{ type: 'pack-unreadable', id: basename(file!) }])
    await expect(repairPacks(repository)).rejects.toMatchObject({ code: 'IO' })
    expect(it.list('data')).toEqual([file])
    expect(await check(await it.reopen(), ALL)).toMatchObject({ healthy: true })
  })
})

describe('repair snapshots', () => {
  /** A snapshot that has lost the file /directory/lost, and one that is whole. */
  async function storeDamaged(it: Maintaining): Promise<{ damaged: StoredSnapshot; whole: StoredSnapshot }> {
    const kept = { kept: seededBytes('kept', 3000) }
    const whole = await it.store({ ...kept, directory: { directory: { inner: 'inner' } } }, { timeMs: 1 })
    const before = it.list('data')
    const directory = { directory: { inner: 'inner', lost: seededBytes('lost', 3000) } }
    const fields = { timeMs: 2, tags: ['nightly'], paths: [byteStringOf('/directory')], kind: 'incremental' } as const
    const damaged = await it.store({ ...kept, directory }, fields)
    const [pack] = it.list('data').filter((file) => !before.includes(file))
    rmSync(it.pathOf(pack!))
    await it.reopen()
    return { damaged, whole }
  }

  test('stores another without what is lost, and says what that is', async () => {
    await using it = await openMaintaining()
    const { damaged, whole } = await storeDamaged(it)
    const result = await repairSnapshots(it.repository)
    expect(result).toMatchObject({ snapshots: 2, unreadable: [], repaired: [{ original: damaged }] })
    const { id, losses } = result.repaired[0]!
    expect(losses).toMatchObject({ count: 1, files: 1, bytes: 3000 })
    expect(losses.listed).toEqual([{ path: '/directory/lost', reason: expect.stringMatching(/^chunk .* is missing$/) }])

    const repaired = await loadSnapshot(it.repository, id!)
    expect(repaired).toMatchObject({
      ...damaged.snapshot,
      tree: expect.not.stringMatching(damaged.snapshot.tree),
      original: damaged.id,
      tags: ['nightly', REPAIRED_TAG],
      failures: losses.listed,
      failureCount: 1,
      summary: { totalFiles: damaged.snapshot.summary.totalFiles - 1 },
    })
    expect(Object.keys(await contentsOf(it.repository, { id: id!, snapshot: repaired })).sort()).toEqual([
      '/directory/inner',
      '/kept',
    ])
    expect((await listSnapshots(it.repository)).map((stored) => stored.id).sort()).toEqual(
      [damaged.id, whole.id, id].sort(),
    )
  })

  test('may remove the damaged ones; then all is sound, and nothing is left to repair', async () => {
    await using it = await openMaintaining()
    const { damaged } = await storeDamaged(it)
    await repairSnapshots(it.repository, { forgetOriginals: true })
    expect((await listSnapshots(it.repository)).map(({ id }) => id)).not.toContain(damaged.id)
    expect(await check(await it.reopen(), ALL)).toMatchObject({ healthy: true, snapshots: 2 })
    expect(await repairSnapshots(it.repository)).toMatchObject({ repaired: [] })
  })

  test('done again makes nothing new', async () => {
    await using it = await openMaintaining()
    await storeDamaged(it)
    const { repaired } = await repairSnapshots(it.repository)
    const before = it.list('snapshots')
    expect((await repairSnapshots(await it.reopen())).repaired).toEqual(repaired)
    expect(it.list('snapshots')).toEqual(before)
  })

  test('may only say what would be done', async () => {
    await using it = await openMaintaining()
    await storeDamaged(it)
    const before = [...it.list('snapshots'), ...it.list('meta')]
    const { repaired } = await repairSnapshots(it.repository, { dryRun: true, forgetOriginals: true })
    expect(repaired).toMatchObject([{ id: undefined, losses: { count: 1 } }])
    expect([...it.list('snapshots'), ...it.list('meta')]).toEqual(before)
  })

  test('keeps what can be read of a directory that is lost in part', async () => {
    await using it = await openMaintaining()
    const names = Array.from({ length: 2000 }, (_, i) => `name ${String(i).padStart(4, '0')}`)
    const stored = await it.store({ many: { directory: Object.fromEntries(names.map((name) => [name, 'same'])) } })
    const pack = parsePackId(basename(it.list('meta')[0]!))
    const entries = await readPackTrailer(it.repository.backend, 'meta', pack)
    const leaf = entries.filter(({ kind }) => kind === 'tree')[1]!
    it.change(it.list('meta')[0]!, (bytes) => flipped(bytes, leaf.offset + 40))
    const [packs] = await repairPacks(it.repository)
    expect(packs).toMatchObject({ packClass: 'meta', lost: 1 })
    const { repaired } = await repairSnapshots(await it.reopen())
    expect(repaired[0]!.losses.count).toBe(1)
    const { path, reason } = repaired[0]!.losses.listed[0]!
    expect(path).toBe('/many')
    const lost = Number(/^(\d+) entries are lost/.exec(reason)![1])
    const left = await contentsOf(it.repository, {
      id: repaired[0]!.id!,
      snapshot: await loadSnapshot(it.repository, repaired[0]!.id!),
    })
    expect(lost).toBeGreaterThan(15)
    expect(Object.keys(left)).toHaveLength(names.length - lost)
    expect(repaired[0]!.original.id).toBe(stored.id)
  })

  test('keeps a file whose attributes alone are lost', async () => {
    await using it = await openMaintaining()
    const attributes = [{ name: byteStringOf('user.large'), value: seededBytes('value', 2000) }]
    await it.store({ file: { file: 'content', attributes } })
    const pack = parsePackId(basename(it.list('meta')[0]!))
    const entries = await readPackTrailer(it.repository.backend, 'meta', pack)
    const set = entries.find(({ kind }) => kind === 'attributes')!
    it.change(it.list('meta')[0]!, (bytes) => flipped(bytes, set.offset + 40))
    await repairPacks(it.repository)
    const { repaired } = await repairSnapshots(await it.reopen())
    expect(repaired[0]!.losses.listed).toMatchObject([{ path: '/file', reason: expect.stringContaining('attributes') }])
    const snapshot = await loadSnapshot(it.repository, repaired[0]!.id!)
    const node = (await readNodes(it.repository, snapshot.tree)).get('/file')
    expect(node).toMatchObject({ type: 'file', size: 7, attributes: undefined })
  })

  test('makes nothing of a snapshot of which nothing is left, and removes it only if asked to', async () => {
    await using it = await openMaintaining()
    const stored = await it.store({ file: 'text' })
    for (const file of it.list('meta')) rmSync(it.pathOf(file))
    const nothing = [{ original: { id: stored.id }, id: undefined, losses: { count: 1 } }]
    for (const options of [{}, { dryRun: true, forgetOriginals: true }]) {
      expect((await repairSnapshots(await it.reopen(), options)).repaired).toMatchObject(nothing)
      expect(it.list('snapshots')).toEqual([`snapshots/${stored.id}`])
    }
    const { repaired } = await repairSnapshots(it.repository, { forgetOriginals: true })
    expect(repaired).toMatchObject(nothing)
    expect(it.list('snapshots')).toEqual([])
    expect(await check(await it.reopen(), ALL)).toMatchObject({ healthy: true, snapshots: 0 })
  })

  test('removes no snapshot that packs may still be saved for', async () => {
    await using it = await openMaintaining()
    const stored = await it.store({ file: 'text' })
    const contents = await contentsOf(it.repository, stored)
    for (const file of it.list('meta')) it.change(file, (bytes) => flipped(bytes, bytes.length - 1))
    rmSync(it.pathOf('index'), { recursive: true })
    const repairing = repairSnapshots(await it.reopen(), { forgetOriginals: true })
    await expect(repairing).rejects.toMatchObject({ code: 'REFUSED' })
    expect(it.list('snapshots')).toEqual([`snapshots/${stored.id}`])
    await repairPacks(it.repository)
    expect(await repairSnapshots(it.repository, { forgetOriginals: true })).toMatchObject({ repaired: [] })
    expect(await contentsOf(await it.reopen(), stored)).toEqual(contents)
  })

  test('leaves snapshots that cannot be read, and names them', async () => {
    await using it = await openMaintaining()
    const stored = await it.store({ file: 'text' })
    it.change(`snapshots/${stored.id}`, (bytes) => flipped(bytes, 40))
    const result = await repairSnapshots(it.repository)
    expect(result).toMatchObject({ snapshots: 0, repaired: [], unreadable: [{ id: stored.id }] })
  })
})

test('repair index builds it again, and names packs that cannot be read', async () => {
  await using it = await openMaintaining()
  const stored = await it.store({ a: seededBytes('a', 3000) })
  const { packs, objects } = await repairIndex(it.repository)
  expect(packs).toBe(2)
  expect(objects).toBe((await it.repository.index()).ordinalLimit)
  await contentsOf(it.repository, stored)
  it.change(it.list('data')[0]!, (bytes) => flipped(bytes, bytes.length - 1))
  expect(await repairIndex(it.repository)).toMatchObject({ packs: 1, unreadable: [basename(it.list('data')[0]!)] })
})

test('repair index says so when it cannot leave another behind', async () => {
  await using it = await openMaintaining()
  await it.store({ a: 'a' })
  await using other = await openRepository(localBackend(it.pathOf('')), it.environment)
  await expect(repairIndex(other)).rejects.toMatchObject({ code: 'LOCKED' }) // the first has it open
  await it.repository.close()
  const modes = { repository: 0o500, 'repository/index': 0o500 }
  await asNobody(join(it.pathOf(''), '..'), modes, async () => {
    await expect(repairIndex(await it.reopen())).rejects.toMatchObject({ code: 'DENIED' })
    await it.repository.close()
  })
  expect(await repairIndex(await it.reopen())).toMatchObject({ packs: 2 })
})
