import { cpSync, readFileSync, rmSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FileSystem } from '../../src/backend/file-system.ts'
import { nodeFileSystem } from '../../src/backend/file-system.ts'
import { parsePackId } from '../../src/base/ids.ts'
import { check } from '../../src/maintain/check.ts'
import { forget } from '../../src/maintain/forget.ts'
import { prune } from '../../src/maintain/prune.ts'
import { DEFAULT_PRUNE_POLICY } from '../../src/maintain/prune-plan.ts'
import { repairPacks } from '../../src/maintain/repair-packs.ts'
import { parityState, setParity } from '../../src/maintain/set-parity.ts'
import { faultyFileSystem } from '../helpers/faulty-file-system.ts'
import { contentsOf, flipped, type Maintaining, openMaintaining } from '../helpers/maintaining.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const ALL = { readData: 'all' } as const
const FILES = { a: seededBytes('a', 90_000), b: seededBytes('b', 3000) }

/** A repository whose packs have parity. */
async function protectedRepository(percent = 20): Promise<Maintaining> {
  const it = await openMaintaining()
  await setParity(it.repository, percent)
  return it
}

const packsOf = (it: Maintaining): string[] => [...it.list('data'), ...it.list('meta')]
const idsOf = (files: readonly string[]): string[] => files.map((file) => basename(file)).sort()
const read = (it: Maintaining, file: string): Buffer => readFileSync(it.pathOf(file))
/** The notes of one type of a check that reads everything. */
async function notesOf(it: Maintaining, type: string): Promise<object[]> {
  return (await check(it.repository, ALL)).notes.filter((note) => note.type === type)
}

describe('parity', () => {
  test('is written with every pack, by backups and prune, and goes with it', async () => {
    await using it = await protectedRepository()
    const first = await it.store(FILES)
    const second = await it.store({ ...FILES, a: seededBytes('other', 50_000) })
    expect(packsOf(it).length).toBeGreaterThan(2)
    expect(idsOf(it.list('parity'))).toEqual(idsOf(packsOf(it)))
    await forget(it.repository, [first.id])
    const result = await prune(it.repository, { policy: { ...DEFAULT_PRUNE_POLICY, maxUnused: { bytes: 0 } } })
    expect(result.packsRemoved + result.packsRewritten).toBeGreaterThan(0)
    expect(idsOf(it.list('parity'))).toEqual(idsOf(packsOf(it)))
    expect((await check(it.repository, ALL)).healthy).toBe(true)
    expect(await contentsOf(it.repository, second)).toHaveProperty('/b')
  })

  test('is written for packs that have none, or less, and removed again', async () => {
    await using it = await openMaintaining()
    await it.store(FILES)
    expect(await parityState(it.repository)).toMatchObject({ percent: 0, protectedPacks: 0, bytes: 0 })
    expect(it.list('parity')).toEqual([])
    const { length } = packsOf(it)

    expect(await setParity(it.repository, 10)).toMatchObject({ percent: 10, written: length, damaged: [] })
    const ten = (await parityState(it.repository)).bytes
    expect(idsOf(it.list('parity'))).toEqual(idsOf(packsOf(it)))
    expect(await setParity(it.repository, 10)).toMatchObject({ written: 0, bytesWritten: 0 })
    expect(await setParity(it.repository, 60)).toMatchObject({ written: length })
    const state = await parityState(it.repository)
    expect(state).toMatchObject({ percent: 60, packs: length, protectedPacks: length })
    expect(state.bytes).toBeGreaterThan(ten)
    expect(await setParity(it.repository, 5)).toMatchObject({ written: 0 }) // more is not taken away
    expect((await check(it.repository, ALL)).notes).toEqual([])

    expect(await setParity(it.repository, 0)).toMatchObject({ removed: length })
    expect(it.list('parity')).toEqual([])
    await it.store({ c: 'new' })
    expect(it.list('parity')).toEqual([])
    for (const percent of [-1, 0.5, 101, NaN])
      await expect(setParity(it.repository, percent)).rejects.toMatchObject({ code: 'USAGE' })
  })

  test('is not made of what is damaged already', async () => {
    await using it = await openMaintaining()
    await it.store(FILES)
    const [file] = it.list('data')
    it.change(file!, (bytes) => flipped(bytes, 100))
    const { damaged, written } = await setParity(it.repository, 10)
    expect(damaged).toMatchObject([
      { packClass: 'data', id: basename(file!), message: expect.stringContaining('at offset') },
    ])
    expect(written).toBe(packsOf(it).length - 1)
    expect(idsOf(it.list('parity'))).not.toContain(basename(file!))
  })

  test('that cannot be written is no damage of the pack', async () => {
    await using it = await openMaintaining()
    await it.store(FILES)
    const { files } = faultyFileSystem(({ name, path }) =>
      name === 'makeDirectory' && path.includes('/parity') ? 'EACCES' : undefined,
    )
    await expect(setParity(await it.reopen(files), 20)).rejects.toMatchObject({ code: 'DENIED' })
    expect(await setParity(await it.reopen(), 20)).toMatchObject({ written: packsOf(it).length, damaged: [] })
  })

  test('of packs that are gone is removed by prune, and by nobody before', async () => {
    await using it = await protectedRepository()
    await it.store(FILES)
    const [file] = it.list('parity')
    const orphan = `${file!.slice(0, 12)}${'0'.repeat(62)}`
    cpSync(it.pathOf(file!), it.pathOf(orphan))
    await check(it.repository)
    expect(it.list('parity')).toContain(orphan)
    expect((await prune(it.repository)).leftoversRemoved).toBe(1)
    expect(idsOf(it.list('parity'))).toEqual(idsOf(packsOf(it)))
  })
})

describe('check', () => {
  test('that goes while it is looked at is missing, and nothing is wrong with it', async () => {
    await using it = await protectedRepository()
    await it.store(FILES)
    const { backend } = it.repository
    const { get } = backend
    backend.get = async (kind, ...rest) => {
      if (kind === 'parity') for (const file of it.list('parity')) rmSync(it.pathOf(file))
      return await get.call(backend, kind, ...rest)
    }
    expect(await check(it.repository, ALL)).toMatchObject({ healthy: true })
    expect(await setParity(it.repository, 20)).toMatchObject({ written: packsOf(it).length })
    expect(await parityState(it.repository)).toMatchObject({ protectedPacks: 0, bytes: 0 })
  })

  test('says which packs lack parity that is wanted', async () => {
    await using it = await protectedRepository()
    await it.store(FILES)
    const [file] = it.list('parity')
    rmSync(it.pathOf(file!))
    const report = await check(it.repository)
    expect(report.healthy).toBe(true)
    expect(report.notes).toMatchObject([{ type: 'parity-missing', packs: [basename(file!)] }])
    await setParity(it.repository, 30)
    expect((await check(it.repository)).notes).toEqual([])
    await setParity(it.repository, 0)
    expect((await check(it.repository)).notes).toEqual([])
  })

  test('finds the flip of any byte of parity, and repair writes it again', async () => {
    await using it = await protectedRepository()
    await it.store({ a: seededBytes('small', 300) })
    for (const file of it.list('parity')) {
      const sound = read(it, file)
      for (let at = 0; at < sound.length; at += 11) {
        it.change(file, () => flipped(sound, at))
        const { problems } = await check(it.repository, ALL)
        expect({ at, problems }).toMatchObject({ at, problems: [{ type: 'parity-damaged', id: basename(file) }] })
        if (at % 99 === 0) {
          expect(await repairPacks(it.repository, { dryRun: true })).toMatchObject([{ parityOnly: true, lost: 0 }])
          expect(await repairPacks(it.repository)).toMatchObject([{ id: basename(file), parityOnly: true }])
          expect(read(it, file).equals(sound)).toBe(true)
        }
      }
      it.change(file, () => sound)
    }
    expect(await repairPacks(it.repository)).toEqual([])
  })

  test('finds parity that is cut off without reading data, and settings that are damaged', async () => {
    await using it = await protectedRepository()
    await it.store(FILES)
    it.change(it.list('parity')[0]!, (bytes) => bytes.subarray(0, -1))
    expect((await check(it.repository)).problems).toMatchObject([{ type: 'parity-damaged' }])
    await repairPacks(it.repository)
    it.change('settings', (bytes) => flipped(bytes, 20))
    expect((await check(it.repository)).problems).toMatchObject([{ type: 'settings-damaged' }])
    await expect(it.store({ c: 'new' })).rejects.toThrow('"chainkeep parity PERCENT" writes it again')
    await setParity(it.repository, 20)
    expect((await check(it.repository)).healthy).toBe(true)
  })

  test('says whether a damaged pack can be healed', async () => {
    await using it = await protectedRepository()
    await it.store(FILES)
    const [file] = it.list('data')
    it.change(file!, (bytes) => flipped(bytes, 100))
    expect(await notesOf(it, 'parity-heals')).toMatchObject([{ pack: basename(file!), blocks: 1, canHeal: true }])
    it.change(file!, (bytes) => Buffer.alloc(bytes.length >> 1))
    expect(await notesOf(it, 'parity-heals')).toMatchObject([{ pack: basename(file!), canHeal: false }])
    rmSync(it.pathOf(`parity/${file!.slice(5)}`))
    expect(await notesOf(it, 'parity-heals')).toEqual([])
  })
})

describe('repair packs heals', () => {
  const DAMAGE: Readonly<Record<string, (bytes: Buffer) => Uint8Array>> = {
    'a byte': (bytes) => flipped(bytes, 5000),
    'the header': (bytes) => Buffer.from(bytes).fill(0xff, 0, 16),
    'the trailer and the footer': (bytes) => Buffer.from(bytes).fill(0, bytes.length - 1000),
    'a burst': (bytes) => Buffer.from(bytes).fill(7, 20_000, 20_000 + 3 * 4096),
    'an end that is cut off': (bytes) => bytes.subarray(0, bytes.length - 9000),
    'an end with bytes too many': (bytes) => Buffer.concat([bytes, seededBytes('tail', 5000)]),
    'all at once': (bytes) => flipped(flipped(bytes, 0), 50_000).subarray(0, bytes.length - 100),
  }

  test.each(Object.entries(DAMAGE))('%s, byte for byte', async (_, damage) => {
    await using it = await protectedRepository()
    const stored = await it.store(FILES)
    const contents = await contentsOf(it.repository, stored)
    const [file] = it.list('data')
    const sound = read(it, file!)
    it.change(file!, damage)
    rmSync(it.pathOf('index'), { recursive: true, force: true })
    await it.reopen()
    const damaged = read(it, file!)
    const planned = await repairPacks(it.repository, { dryRun: true })
    expect(read(it, file!).equals(damaged)).toBe(true)
    const repaired = await repairPacks(it.repository)
    expect(repaired).toEqual(planned)
    expect(repaired).toMatchObject([{ id: basename(file!), lost: 0, healed: expect.any(Number) }])
    expect(read(it, file!).equals(sound)).toBe(true)
    expect(await contentsOf(it.repository, stored)).toEqual(contents)
    expect((await check(it.repository, ALL)).healthy).toBe(true)
    expect(it.list('tmp')).toEqual([])
  })

  test('up to the last block that it can, and of one more saves what is sound as without parity', async () => {
    await using it = await protectedRepository()
    await it.store(FILES)
    const [file] = it.list('data')
    const [sound, parity] = [read(it, file!), read(it, `parity/${file!.slice(5)}`)]
    const blocks = Math.ceil(sound.length / 4096)
    const most = Math.ceil(blocks / 5)
    const lose = (count: number): void => it.change(file!, () => Buffer.from(sound).fill(0, 0, count * 4096))
    lose(most)
    expect(await repairPacks(it.repository)).toMatchObject([{ healed: most, lost: 0 }])
    expect(read(it, file!).equals(sound)).toBe(true)
    lose(most + 1)
    const [salvaged] = await repairPacks(it.repository, { dryRun: true })
    expect(salvaged!.healed).toBe(undefined)
    expect(salvaged!.lost).toBeGreaterThan(0)
    expect(read(it, `parity/${file!.slice(5)}`).equals(parity)).toBe(true)
    await repairPacks(it.repository)
    expect(idsOf(it.list('parity'))).toEqual(idsOf(packsOf(it)))
  })

  test('with parity that is damaged itself, which it writes again', async () => {
    await using it = await protectedRepository()
    await it.store(FILES)
    const [file] = it.list('data')
    const [sound, parity] = [read(it, file!), read(it, `parity/${file!.slice(5)}`)]
    it.change(file!, (bytes) => flipped(bytes, 9000))
    it.change(`parity/${file!.slice(5)}`, (bytes) => Buffer.from(bytes).fill(0, 0, 4500))
    expect(await repairPacks(it.repository)).toMatchObject([{ healed: 1 }])
    expect(read(it, file!).equals(sound)).toBe(true)
    expect(read(it, `parity/${file!.slice(5)}`).equals(parity)).toBe(true)
  })

  test('what the device cannot read', async () => {
    await using it = await protectedRepository()
    await it.store(FILES)
    const [file] = it.list('data')
    const sound = read(it, file!)
    const bad = [40_000, 45_000] as const
    const files: FileSystem = {
      ...nodeFileSystem,
      read: async (path, range) => {
        const end = range ? range.offset + range.length : Number.POSITIVE_INFINITY
        if (path.endsWith(file!) && (range?.offset ?? 0) < bad[1] && end > bad[0])
          throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
        return await nodeFileSystem.read(path, range)
      },
    }
    await it.reopen(files)
    expect(await repairPacks(it.repository)).toMatchObject([{ healed: 2, lost: 0 }])
    await it.reopen()
    expect(read(it, file!).equals(sound)).toBe(true)
  })

  test('and whatever call fails, the pack is there, as damaged or as healed', async () => {
    await using it = await protectedRepository()
    await it.store(FILES)
    const [file] = it.list('data')
    const sound = read(it, file!)
    const damaged = flipped(sound, 7777)
    for (let failing = 0; ; failing++) {
      it.change(file!, () => damaged)
      let left = failing
      const { files } = faultyFileSystem(({ name, path }) =>
        /^(create|write|sync|close|rename|syncDirectory)$/.test(name) && /(tmp|data)\//.test(path) && left-- === 0
          ? 'EIO'
          : undefined,
      )
      await it.reopen(files)
      const outcome = await repairPacks(it.repository, { packs: [parsePackId(basename(file!))] }).catch(
        (error) => error,
      )
      const there = read(it, file!)
      expect(there.equals(sound) || there.equals(damaged)).toBe(true)
      if (!Array.isArray(outcome) || left < 0) continue // some failures, such as that of giving a file up, are no failure of the whole
      expect(outcome).toMatchObject([{ healed: 1 }])
      expect(there.equals(sound)).toBe(true)
      expect(failing).toBeGreaterThan(5)
      break
    }
  })
})
