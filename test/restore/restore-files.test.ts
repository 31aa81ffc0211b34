import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { byteStringOf } from '../../src/base/bytes.ts'
import { idBytes } from '../../src/base/ids.ts'
import { DEFAULT_CUT_PARAMETERS } from '../../src/chunker/fastcdc.ts'
import { encodeNode } from '../../src/format/tree.ts'
import { ListBuilder, type SaveObject } from '../../src/repository/lists.ts'
import { TreeBuilder } from '../../src/repository/trees.ts'
import { openRestoring, type Restoring, restoreInWindows } from '../helpers/restoring.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { ownMeta, snapshotOf, storeContent, storeSnapshot, TINY_CUTS } from '../helpers/store-tree.ts'

test('files larger than a window, of chunks that come in several windows', async () => {
  await using at = await openRestoring()
  const half = seededBytes('half', 150_000)
  const listing = { x: Buffer.concat([half, half]), y: half, z: seededBytes('z', 100_000), small: 'small' }
  const snapshot = await storeSnapshot(at.repository, listing, TINY_CUTS)
  const ranges: number[] = []
  const get = at.repository.backend.get.bind(at.repository.backend)
  at.repository.backend.get = (kind, name, range) => {
    if (kind === 'data') ranges.push(range!.offset)
    return get(kind, name, range)
  }
  const inWindows = await restoreInWindows(at, snapshot, 300)
  const windowReads = ranges.length
  expect(windowReads).toBeGreaterThan(2)
  expect(inWindows.result).toMatchObject({
    filesRestored: 4,
    bytesWritten: 550_005,
    bytesVerified: 550_005,
    failureCount: 0,
  })
  for (const [name, bytes] of Object.entries(listing))
    expect(readFileSync(join(at.target, name))).toEqual(Buffer.from(bytes))

  ranges.length = 0
  await at.run(snapshot, { target: join(at.directory, 'again') })
  expect(ranges).toEqual([16]) // all of the pack's objects at once, though half of them go to three places
})

describe('sparse files', () => {
  const MIB = 2 ** 20
  const bytes = Buffer.concat([seededBytes('head', 65_536), Buffer.alloc(20 * MIB), seededBytes('tail', 65_536)])
  const blocks = (at: Restoring, name: string): number => statSync(join(at.target, name)).blocks * 512

  test('get holes if they had some, or if it is asked for', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, { holes: { file: bytes, sparse: true }, full: bytes })
    await at.run(snapshot, { verify: true })
    expect(blocks(at, 'holes')).toBeLessThan(2 * MIB)
    expect(blocks(at, 'full')).toBeGreaterThanOrEqual(20 * MIB)
    for (const name of ['holes', 'full']) expect(readFileSync(join(at.target, name)).equals(bytes)).toBe(true)
    await at.run(snapshot, { target: join(at.target, 'asked'), sparse: true })
    expect(blocks(at, 'asked/full')).toBeLessThan(2 * MIB)
    expect(readFileSync(join(at.target, 'asked/full')).equals(bytes)).toBe(true)
  })

  test('of more than 4 GiB', async () => {
    await using at = await openRestoring()
    const session = at.repository.beginWrite()
    const save: SaveObject = (kind, plain) => session.saveObject(kind, plain)
    const [zeros, tail] = await Promise.all(
      [Buffer.alloc(DEFAULT_CUT_PARAMETERS.maxBytes), Buffer.from('the end')].map((part) =>
        storeContent(session, part, DEFAULT_CUT_PARAMETERS),
      ),
    )
    const lists = new ListBuilder(save)
    for (let i = 0; i < 17_000; i++) await lists.add(idBytes(zeros!.content!.id), [zeros!.size])
    await lists.add(idBytes(tail!.content!.id), [tail!.size])
    const trees = new TreeBuilder(save)
    const name = byteStringOf('huge')
    await trees.add(name, encodeNode({ ...ownMeta(), type: 'file', name, sparse: true, ...(await lists.finish()) }))
    const snapshot = snapshotOf(await trees.finish())
    await session.flush()

    const { result } = await at.run(snapshot)
    const size = 17_000 * DEFAULT_CUT_PARAMETERS.maxBytes + 7
    expect(result).toMatchObject({ totalBytes: size, bytesWritten: 7, failureCount: 0 })
    expect(statSync(join(at.target, 'huge')).size).toBe(size)
    expect(blocks(at, 'huge')).toBeLessThan(MIB)
    const end = Buffer.alloc(8)
    const fd = openSync(join(at.target, 'huge'), 'r')
    readSync(fd, end, 0, 8, size - 8)
    closeSync(fd)
    expect(end.toString()).toBe('\0the end')
  })

  test('of zeros are written over what is not zero', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, { holes: { file: bytes, sparse: true } })
    mkdirSync(at.target)
    writeFileSync(join(at.target, 'holes'), seededBytes('other', 3 * MIB))
    const { result } = await at.run(snapshot, { verify: true })
    expect(readFileSync(join(at.target, 'holes')).equals(bytes)).toBe(true)
    expect(result.failureCount).toBe(0)
    expect(blocks(at, 'holes')).toBeLessThan(5 * MIB)
  })
})

describe('a target that takes no files', () => {
  /** A small file system, if this machine lets us make one. */
  function smallDisk(at: Restoring, size: string): boolean {
    mkdirSync(at.target)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', at.target], { stdio: 'ignore' })
    } catch {
      return false
    }
    return true
  }
  const listing = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, seededBytes(i, 200_000)]))

  test('because its disk is full ends the run, and the next goes on there', async (context) => {
    await using at = await openRestoring()
    if (!smallDisk(at, '4m')) return context.skip('mounting a file system takes root')
    try {
      const snapshot = await storeSnapshot(at.repository, listing)
      await expect(at.run(snapshot)).rejects.toMatchObject({
        code: 'NO_SPACE',
        message: expect.stringMatching(
          /^the disk of .*target is full: free up to \d MiB and run the same command again/,
        ),
      })
      execFileSync('mount', ['-o', 'remount,size=20m', at.target])
      const { result } = await at.run(snapshot)
      expect(result.bytesReused).toBeGreaterThan(1_000_000)
      for (const [name, bytes] of Object.entries(listing))
        expect(bytes.equals(readFileSync(join(at.target, name)))).toBe(true)
    } finally {
      execFileSync('umount', [at.target])
    }
  })

  test('because one file is larger than its disk ends the run before anything is written', async (context) => {
    await using at = await openRestoring()
    if (!smallDisk(at, '4m')) return context.skip('mounting a file system takes root')
    try {
      const snapshot = await storeSnapshot(at.repository, { large: seededBytes('large', 6_000_000) })
      await expect(at.run(snapshot)).rejects.toMatchObject({ code: 'NO_SPACE', details: { missingBytes: 6_000_000 } })
      expect(readdirSync(at.target)).toEqual([])
    } finally {
      execFileSync('umount', [at.target])
    }
  })

  test('leaves no half file where a later run would take it for a whole one', async (context) => {
    await using at = await openRestoring()
    if (!smallDisk(at, '4m')) return context.skip('mounting a file system takes root')
    try {
      await expect(at.run(await storeSnapshot(at.repository, listing), { overwrite: 'never' })).rejects.toMatchObject({
        code: 'NO_SPACE',
      })
      for (const name of readdirSync(at.target))
        expect(listing[name]!.equals(readFileSync(join(at.target, name)))).toBe(true)
    } finally {
      execFileSync('umount', [at.target])
    }
  })

  test.runIf(process.platform === 'linux')('because of its rights ends the run', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, { a: 'x', b: 'y' })
    execFileSync('chmod', ['-R', 'a+rX', at.directory])
    mkdirSync(at.target, { mode: 0o555 })
    const isRoot = process.geteuid!() === 0
    if (isRoot) process.seteuid!(65_534) // root may write anywhere
    try {
      await expect(at.run(snapshot)).rejects.toMatchObject({
        code: 'DENIED',
        message: expect.stringMatching(/^cannot write to .*target: permission denied/),
      })
    } finally {
      if (isRoot) process.seteuid!(0)
    }
  })
})
