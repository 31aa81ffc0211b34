import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { byteStringOf } from '../../src/base/bytes.ts'
import type { ProgressState } from '../../src/base/progress.ts'
import { setModifiedTime } from '../../src/native/posix.ts'
import { describeTree, openRestoring } from '../helpers/restoring.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { ownMeta, storeSnapshot, TINY_CUTS } from '../helpers/store-tree.ts'

const LISTING = {
  a: 'first',
  big: seededBytes('big', 300_000),
  dir: { directory: { b: 'second', empty: '', sub: { directory: { c: 'third' } } }, mode: 0o700 },
  hollow: { directory: {} },
}
const DESCRIBED = [
  'a = first',
  'big',
  'dir/',
  'dir/b = second',
  'dir/empty = ',
  'dir/sub/',
  'dir/sub/c = third',
  'hollow/',
]

describe('into an empty directory', () => {
  test('everything is as it was', async () => {
    await using at = await openRestoring()
    const { result, failures, items } = await at.run(await storeSnapshot(at.repository, LISTING))
    expect(failures).toEqual([])
    expect(describeTree(at.target)).toEqual(DESCRIBED)
    expect(readFileSync(join(at.target, 'big'))).toEqual(LISTING.big)
    expect(statSync(join(at.target, 'dir')).mode & 0o7777).toBe(0o700)
    expect(lstatSync(join(at.target, 'dir/b'), { bigint: true }).mtimeNs).toBe(1_600_000_000_123_456_789n)
    expect(lstatSync(join(at.target, 'dir'), { bigint: true }).mtimeNs).toBe(1_600_000_000_123_456_789n)
    expect(items).toContain('restored /dir/sub/c')
    expect(result).toEqual({
      filesRestored: 5,
      filesUpdated: 0,
      filesUnchanged: 0,
      filesSkipped: 0,
      filesDeleted: 0,
      directories: 3,
      totalBytes: 300_016,
      bytesWritten: 300_016,
      bytesReused: 0,
      bytesVerified: 0,
      failureCount: 0,
      damageCount: 0,
    })
  })

  test('chunks that come many times are written to all places', async () => {
    await using at = await openRestoring()
    const half = seededBytes('half', 60_000)
    const listing = { x: Buffer.concat([half, half, half]), y: half, z: seededBytes('z', 70_000) }
    const snapshot = await storeSnapshot(at.repository, listing, TINY_CUTS)
    const { result } = await at.run(snapshot, { verify: true })
    for (const [name, bytes] of Object.entries(listing)) expect(readFileSync(join(at.target, name))).toEqual(bytes)
    expect(result).toMatchObject({ bytesWritten: 310_000, bytesVerified: 310_000, failureCount: 0 })
  })

  test('a directory for the target is made, with those above it', async () => {
    await using at = await openRestoring()
    const target = join(at.target, 'x/y')
    await at.run(await storeSnapshot(at.repository, LISTING), { target })
    expect(describeTree(target)).toEqual(DESCRIBED)
  })

  test('a target that is a link to a directory is one', async () => {
    await using at = await openRestoring()
    mkdirSync(join(at.directory, 'real'))
    symlinkSync('real', at.target)
    await at.run(await storeSnapshot(at.repository, LISTING))
    expect(describeTree(join(at.directory, 'real'))).toEqual(DESCRIBED)
  })
})

describe('part of a snapshot', () => {
  test('what is in a directory goes into the target, which becomes like it', async () => {
    await using at = await openRestoring()
    const { result } = await at.run(await storeSnapshot(at.repository, LISTING), { path: byteStringOf('/dir/') })
    expect(describeTree(at.target)).toEqual(['b = second', 'empty = ', 'sub/', 'sub/c = third'])
    expect(lstatSync(at.target, { bigint: true }).mtimeNs).toBe(1_600_000_000_123_456_789n)
    expect(result.directories).toBe(1)
  })

  test('a target that was there keeps its mode', async () => {
    await using at = await openRestoring()
    mkdirSync(at.target, { mode: 0o750 })
    await at.run(await storeSnapshot(at.repository, LISTING), { path: byteStringOf('/dir') })
    expect(statSync(at.target).mode & 0o7777).toBe(0o750)
  })

  test('a file goes into the target under its name', async () => {
    await using at = await openRestoring()
    mkdirSync(at.target)
    writeFileSync(join(at.target, 'other'), 'stays')
    const { items } = await at.run(await storeSnapshot(at.repository, LISTING), {
      path: byteStringOf('/dir/sub/c'),
      deleteExtra: true,
    })
    expect(describeTree(at.target)).toEqual(['c = third', 'other = stays'])
    expect(items).toEqual(['restored /dir/sub/c'])
  })

  test('what is not there is said', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, LISTING)
    await expect(at.run(snapshot, { path: byteStringOf('/dir/nothing') })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'there is no /dir/nothing in the snapshot',
    })
    expect(existsSync(at.target)).toBe(false)
  })

  test('included, with the directories on the way and their metadata', async () => {
    await using at = await openRestoring()
    const { result } = await at.run(await storeSnapshot(at.repository, LISTING), { include: ['c'] })
    expect(describeTree(at.target)).toEqual(['dir/', 'dir/sub/', 'dir/sub/c = third'])
    expect(statSync(join(at.target, 'dir')).mode & 0o7777).toBe(0o700)
    expect(lstatSync(join(at.target, 'dir'), { bigint: true }).mtimeNs).toBe(1_600_000_000_123_456_789n)
    expect(result).toMatchObject({ filesRestored: 1, directories: 2, totalBytes: 5 })
  })

  test('excluded', async () => {
    await using at = await openRestoring()
    await at.run(await storeSnapshot(at.repository, LISTING), { exclude: ['/dir/sub', 'big', 'hollow'] })
    expect(describeTree(at.target)).toEqual(['a = first', 'dir/', 'dir/b = second', 'dir/empty = '])
  })
})

describe('into an existing directory', () => {
  test('a second time, everything is found there', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, LISTING)
    await at.run(snapshot)
    const { result, items } = await at.run(snapshot)
    expect(result).toMatchObject({ filesUnchanged: 5, bytesWritten: 0, bytesReused: 300_016, totalBytes: 300_016 })
    expect(items.filter((item) => !item.startsWith('unchanged'))).toEqual([])
  })

  test('only chunks that differ are written', async () => {
    await using at = await openRestoring()
    const bytes = seededBytes('x', 100_000)
    const snapshot = await storeSnapshot(at.repository, { file: bytes }, TINY_CUTS)
    mkdirSync(at.target)
    const other = Buffer.from(bytes)
    other[50_000]! ^= 1
    writeFileSync(join(at.target, 'file'), other)
    const { result, items } = await at.run(snapshot)
    expect(readFileSync(join(at.target, 'file'))).toEqual(bytes)
    expect(items).toEqual(['updated /file'])
    expect(result.bytesWritten).toBeLessThanOrEqual(TINY_CUTS.maxBytes)
    expect(result.bytesReused).toBe(100_000 - result.bytesWritten)
  })

  test.each([
    ['longer', 120_000],
    ['shorter', 70_000],
  ])('a file that is %s gets the right length', async (_, length) => {
    await using at = await openRestoring()
    const bytes = seededBytes('x', 120_000)
    const snapshot = await storeSnapshot(at.repository, { file: bytes.subarray(0, 100_000) }, TINY_CUTS)
    mkdirSync(at.target)
    writeFileSync(join(at.target, 'file'), bytes.subarray(0, length))
    const { result } = await at.run(snapshot)
    expect(readFileSync(join(at.target, 'file'))).toEqual(bytes.subarray(0, 100_000))
    expect(result.filesUpdated).toBe(1)
    expect(result.bytesReused).toBeGreaterThan(60_000)
  })

  test('if-changed trusts size and time', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, { same: 'abc', other: 'def' })
    await at.run(snapshot)
    for (const name of ['same', 'other']) writeFileSync(join(at.target, name), 'xyz')
    utimesSync(join(at.target, 'other'), 1, 1)
    setModifiedTime(byteStringOf(join(at.target, 'same')), ownMeta().mtimeNs!)
    const { items } = await at.run(snapshot, { overwrite: 'if-changed' })
    expect(describeTree(at.target)).toEqual(['other = def', 'same = xyz'])
    expect([...items].sort()).toEqual(['unchanged /same', 'updated /other'])
    await at.run(snapshot, { overwrite: 'always' })
    expect(describeTree(at.target)).toEqual(['other = def', 'same = abc'])
  })

  test('never leaves alone what exists, of whatever type', async () => {
    await using at = await openRestoring()
    mkdirSync(join(at.target, 'dir'), { recursive: true })
    writeFileSync(join(at.target, 'a'), 'mine')
    symlinkSync('/nowhere', join(at.target, 'dir/b'))
    writeFileSync(join(at.target, 'hollow'), 'no directory')
    const { result, items } = await at.run(await storeSnapshot(at.repository, LISTING), { overwrite: 'never' })
    expect(items.filter((item) => item.startsWith('skipped'))).toEqual(['skipped /a', 'skipped /dir/b'])
    expect(describeTree(at.target)).toEqual([
      'a = mine',
      'big',
      'dir/',
      'dir/b -> /nowhere',
      'dir/empty = ',
      'dir/sub/',
      'dir/sub/c = third',
      'hollow = no directory',
    ])
    expect(result).toMatchObject({ filesSkipped: 2, filesRestored: 3, failureCount: 0 })
  })

  test('what is of another type gives way', async () => {
    await using at = await openRestoring()
    mkdirSync(join(at.target, 'a'), { recursive: true })
    writeFileSync(join(at.target, 'dir'), 'a file')
    symlinkSync('/', join(at.target, 'hollow'))
    const { result, failures } = await at.run(await storeSnapshot(at.repository, LISTING))
    expect(failures).toEqual([])
    expect(describeTree(at.target)).toEqual(DESCRIBED)
    expect(result).toMatchObject({ filesUpdated: 1, filesRestored: 4 })
  })

  test('a directory with something in it gives way to a file only when extra files are deleted', async () => {
    await using at = await openRestoring()
    mkdirSync(join(at.target, 'a/deep'), { recursive: true })
    writeFileSync(join(at.target, 'a/deep/x'), 'x')
    const snapshot = await storeSnapshot(at.repository, { a: 'first' })
    const { failures } = await at.run(snapshot)
    expect(failures).toEqual([expect.stringMatching(/^\/a: .*target\/a is a directory that is not empty/)])
    const { result } = await at.run(snapshot, { deleteExtra: true })
    expect(describeTree(at.target)).toEqual(['a = first'])
    expect(result).toMatchObject({ filesDeleted: 2, filesUpdated: 1, failureCount: 0 })
  })

  test('a file with names elsewhere is not written through', async () => {
    await using at = await openRestoring()
    mkdirSync(at.target)
    writeFileSync(join(at.directory, 'elsewhere'), 'other')
    linkSync(join(at.directory, 'elsewhere'), join(at.target, 'a'))
    await at.run(await storeSnapshot(at.repository, { a: 'first' }))
    expect(readFileSync(join(at.target, 'a'), 'utf8')).toBe('first')
    expect(readFileSync(join(at.directory, 'elsewhere'), 'utf8')).toBe('other')
  })
})

describe('a dry run', () => {
  test('touches nothing and tells what would be done', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, LISTING)
    const { result } = await at.run(snapshot, { dryRun: true })
    expect(existsSync(at.target)).toBe(false)
    expect(result).toMatchObject({ filesRestored: 5, directories: 3, totalBytes: 300_016, bytesWritten: 300_016 })
  })

  test('compares with what exists', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, LISTING)
    await at.run(snapshot)
    writeFileSync(join(at.target, 'a'), 'other')
    writeFileSync(join(at.target, 'dir/extra'), 'extra')
    const before = describeTree(at.target)
    const { result, items } = await at.run(snapshot, { dryRun: true, deleteExtra: true })
    expect(describeTree(at.target)).toEqual(before)
    expect(result).toMatchObject({ filesUpdated: 1, filesUnchanged: 4, filesDeleted: 1, bytesWritten: 5 })
    expect(items).toContain('deleted TARGET/dir/extra')
  })

  test('does not look through links that would give way', async () => {
    await using at = await openRestoring()
    mkdirSync(join(at.directory, 'elsewhere'))
    writeFileSync(join(at.directory, 'elsewhere/b'), 'second')
    mkdirSync(at.target)
    symlinkSync('../elsewhere', join(at.target, 'dir'))
    const { items } = await at.run(await storeSnapshot(at.repository, LISTING), { dryRun: true })
    expect(items).toContain('restored /dir/b')
  })
})

describe('is refused', () => {
  test('inside the repository', async () => {
    await using at = await openRestoring()
    const target = join(at.directory, 'repository/data/x')
    await expect(at.run(await storeSnapshot(at.repository, LISTING), { target })).rejects.toMatchObject({
      code: 'REFUSED',
    })
    expect(existsSync(target)).toBe(false)
  })

  test('to clear the whole machine', async () => {
    await using at = await openRestoring()
    const options = { target: '/', deleteExtra: true, dryRun: true }
    await expect(at.run(await storeSnapshot(at.repository, LISTING), options)).rejects.toMatchObject({
      code: 'REFUSED',
    })
  })

  test('for a target that is a file', async () => {
    await using at = await openRestoring()
    writeFileSync(at.target, '')
    await expect(at.run(await storeSnapshot(at.repository, LISTING))).rejects.toMatchObject({ code: 'EXISTS' })
  })

  test('for a pattern without meaning', async () => {
    await using at = await openRestoring()
    await expect(at.run(await storeSnapshot(at.repository, LISTING), { exclude: [''] })).rejects.toMatchObject({
      code: 'USAGE',
    })
  })
})

test('interrupted, it stops, and goes on where it was', async () => {
  await using at = await openRestoring()
  const snapshot = await storeSnapshot(at.repository, LISTING)
  const stop = new AbortController()
  const running = at.run(snapshot, { signal: stop.signal, onItem: () => stop.abort() })
  await expect(running).rejects.toMatchObject({ code: 'INTERRUPTED' })
  const { result } = await at.run(snapshot)
  expect(describeTree(at.target)).toEqual(DESCRIBED)
  expect(result.bytesReused).toBeGreaterThan(0)
})

test('progress arrives at the whole also with links and what is left alone', async () => {
  await using at = await openRestoring()
  const linked = { file: 'linked', linkGroup: '0123456789abcdef' }
  const snapshot = await storeSnapshot(at.repository, { a: linked, b: linked, c: 'alone', d: { symlink: 'a' } })
  for (const overwrite of ['always', 'never'] as const) {
    const states: unknown[] = []
    await at.run(snapshot, { overwrite, progress: (state) => states.push(state) })
    expect(states.at(-1)).toMatchObject({ filesDone: 4, totalFiles: 4, bytesDone: 17, totalBytes: 17 })
  }
})

test('what is read back is a phase of its own', async () => {
  await using at = await openRestoring()
  const snapshot = await storeSnapshot(at.repository, { a: 'x'.repeat(1000), b: 'y'.repeat(500) })
  const states: ProgressState[] = []
  await at.run(snapshot, { verify: true, progress: (state) => states.push(state) })
  const verifying = states.filter(({ phase }) => phase === 'verifying')
  expect(verifying.map(({ bytesDone }) => bytesDone)).toContain(1500)
  expect(Math.max(...verifying.map(({ bytesDone = 0 }) => bytesDone))).toBe(1500)
  expect(states.find(({ phase }) => phase === 'restoring')).toMatchObject({ filesDone: 0 })
})

test('progress knows the whole beforehand and arrives at it', async () => {
  await using at = await openRestoring()
  const states: unknown[] = []
  await at.run(await storeSnapshot(at.repository, LISTING), {
    path: byteStringOf('/dir'),
    progress: (state) => states.push(state),
  })
  expect(states.at(-1)).toMatchObject({
    phase: 'restoring',
    filesDone: 3,
    totalFiles: 3,
    bytesDone: 11,
    totalBytes: 11,
  })
})
