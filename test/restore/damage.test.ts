import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { byteStringOf } from '../../src/base/bytes.ts'
import { objectIdAt } from '../../src/base/ids.ts'
import type { ProgressState } from '../../src/base/progress.ts'
import type { Snapshot } from '../../src/format/snapshot.ts'
import { sha3_256 } from '../../src/native/hash.ts'
import { setModifiedTime } from '../../src/native/posix.ts'
import type { Location } from '../../src/repository/object-index.ts'
import { restore } from '../../src/restore/restorer.ts'
import { openTestRepository } from '../helpers/repository.ts'
import { describeTree, openRestoring, type Restoring } from '../helpers/restoring.ts'
import { storeSecondCopies } from '../helpers/second-copies.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { splitBytes } from '../helpers/split.ts'
import { ownMeta, storeSnapshot, TINY_CUTS } from '../helpers/store-tree.ts'

const bytes = seededBytes('content', 40_000)
const packPath = (at: Restoring, location: Location): string =>
  join(at.directory, 'repository/data', location.pack.slice(0, 2), location.pack)

/** Where the chunk at `offset` of some bytes is stored. */
async function locate(at: Restoring, content: Buffer, offset = 0): Promise<Location> {
  const end = [...splitBytes(content, TINY_CUTS)].find((each) => each > offset)!
  const start = [0, ...splitBytes(content, TINY_CUTS)].findLast((each) => each <= offset)!
  const index = await at.repository.index()
  return (await index.locate('chunk', sha3_256(content.subarray(start, end))))[0]!
}

function flipByte(path: string, offset: number): void {
  const content = readFileSync(path)
  content[offset]! ^= 0xff
  writeFileSync(path, content)
}

describe('a damaged chunk', () => {
  test('fails the files that need it; they are removed, everything else is there', async () => {
    await using at = await openRestoring()
    const other = seededBytes('other', 40_000)
    const listing = { bad: bytes, twin: bytes, good: other, dir: { directory: { more: 'fine' } } }
    const snapshot = await storeSnapshot(at.repository, listing, TINY_CUTS)
    const location = await locate(at, bytes, 20_000)
    flipByte(packPath(at, location), location.offset + 40)
    const { failures, result } = await at.run(snapshot)
    expect([...failures].sort()).toEqual([
      expect.stringMatching(/^\/bad: data\/[0-9a-f]{64}: an object with a wrong checksum, at offset \d+/),
      expect.stringMatching(/^\/twin: data\//),
    ])
    expect(describeTree(at.target)).toEqual(['dir/', 'dir/more = fine', 'good'])
    expect(readFileSync(join(at.target, 'good'))).toEqual(other)
    expect(result).toMatchObject({ failureCount: 2, damageCount: 2, filesRestored: 2 })
  })

  test('leaves a file that was there, with what could be written', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, { file: bytes }, TINY_CUTS)
    const location = await locate(at, bytes, 20_000)
    flipByte(packPath(at, location), location.offset + 40)
    mkdirSync(at.target)
    writeFileSync(join(at.target, 'file'), 'something older')
    const { failures } = await at.run(snapshot)
    expect(failures).toHaveLength(1)
    expect(statSync(join(at.target, 'file')).size).toBe(40_000)
    expect(readFileSync(join(at.target, 'file')).subarray(0, 10_000)).toEqual(bytes.subarray(0, 10_000))
  })

  test('fails all names of the file', async () => {
    await using at = await openRestoring()
    const linked = { file: bytes, linkGroup: '0123456789abcdef' }
    const snapshot = await storeSnapshot(at.repository, { a: linked, b: linked }, TINY_CUTS)
    const location = await locate(at, bytes)
    flipByte(packPath(at, location), location.offset + 40)
    const { failures, result } = await at.run(snapshot)
    expect(failures.map((failure) => failure.slice(0, 3))).toEqual(['/a:', '/b:'])
    expect(readdirSync(at.target)).toEqual([])
    expect(result).toMatchObject({ filesRestored: 0, failureCount: 2 })
  })
})

describe('a pack', () => {
  test('that is gone fails what was in it', async () => {
    await using at = await openRestoring()
    const first = await storeSnapshot(at.repository, { a: bytes }, TINY_CUTS)
    const location = await locate(at, bytes)
    const both = await storeSnapshot(at.repository, { a: bytes, b: seededBytes('b', 5000) }, TINY_CUTS)
    rmSync(packPath(at, location))
    for (const [snapshot, left] of [
      [first, []],
      [both, ['b']],
    ] as const) {
      const { failures } = await at.run(snapshot)
      expect(failures).toEqual([expect.stringMatching(/^\/a: chunk [0-9a-f]+ is in no pack of the repository$/)])
      expect(readdirSync(at.target)).toEqual(left)
    }
  })

  test('that was cut off gives what is left of it', async () => {
    await using at = await openRestoring()
    const listing = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${10 + i}`, seededBytes(i, 3000)]))
    const snapshot = await storeSnapshot(at.repository, listing, TINY_CUTS)
    const location = await locate(at, Buffer.from(listing.f20!))
    truncateSync(packPath(at, location), location.offset + 1)
    const { failures, result } = await at.run(snapshot)
    expect(failures).toContainEqual(expect.stringMatching(/^\/f20: .*ends \d+ bytes early/))
    expect(result.filesRestored).toBeGreaterThan(5)
    expect(result.filesRestored + failures.length).toBe(20)
    for (const name of readdirSync(at.target)) expect(readFileSync(join(at.target, name))).toEqual(listing[name])
  })
})

describe('where there are two copies', () => {
  const listing = { a: bytes, twin: bytes, b: seededBytes('b', 30_000), dir: { directory: { c: 'c' } } }

  /** Stores the listing twice and says where the packs of chunks are: first copies, and second ones. */
  async function storeTwice(at: Restoring) {
    const snapshot = await storeSnapshot(at.repository, listing, TINY_CUTS)
    const copied = (await storeSecondCopies(at.repository)).filter(({ packClass }) => packClass === 'data')
    const path = (id: string): string => join(at.directory, 'repository/data', id.slice(0, 2), id)
    const [{ first, second, offset }] = copied as [(typeof copied)[0]]
    expect(copied).toHaveLength(1)
    return { snapshot, first: path(first), second: path(second), offset }
  }

  async function expectAll(at: Restoring, snapshot: Snapshot): Promise<void> {
    const { failures, result } = await at.run(snapshot)
    expect(failures).toEqual([])
    expect(result).toMatchObject({ filesRestored: 4, bytesWritten: 110_001, failureCount: 0 })
    for (const name of ['a', 'twin', 'b'] as const)
      expect(readFileSync(join(at.target, name)).equals(listing[name]), name).toBe(true)
  }

  test.each<[string, (path: string, offset: number) => void]>([
    ['that is damaged in one place', (path, offset) => flipByte(path, offset + 40)],
    ['in which nothing is sound', (path) => writeFileSync(path, Buffer.alloc(statSync(path).size, 1))],
    ['that was cut off', (path, offset) => truncateSync(path, offset + 10_000)],
    ['that is gone', (path) => rmSync(path)],
  ])('one %s is no reason to fail', async (_, damage) => {
    await using at = await openRestoring()
    const { snapshot, first, offset } = await storeTwice(at)
    damage(first, offset)
    await expectAll(at, snapshot)
  })

  test('each may have its own damage', async () => {
    await using at = await openRestoring()
    const { snapshot, first, second, offset } = await storeTwice(at)
    flipByte(first, offset + 40)
    truncateSync(second, statSync(second).size - 30_000)
    await expectAll(at, snapshot)
  })

  test('but not the same: the reason is that of the first', async () => {
    await using at = await openRestoring()
    const { snapshot, first, second, offset } = await storeTwice(at)
    flipByte(first, offset + 40)
    flipByte(second, offset)
    const progress: ProgressState[] = []
    const { failures, result } = await at.run(snapshot, { progress: (state) => progress.push(state) })
    expect(failures).toHaveLength(2)
    for (const failure of failures)
      expect(failure).toContain(`data/${basename(first)}: an object with a wrong checksum, at offset ${offset}`)
    expect(result.filesRestored).toBe(2)
    expect(progress.at(-1)).toMatchObject({ bytesDone: 110_001 })
  })
})

test('a chunk that is in no pack is named', async () => {
  await using at = await openRestoring()
  const snapshot = await storeSnapshot(at.repository, { a: 'lost', b: 'kept' })
  const index = await at.repository.index()
  const real = index.locate.bind(index)
  const lost = sha3_256(Buffer.from('lost'))
  index.locate = async (kind, ids) =>
    (await real(kind, ids)).map((found, i) => (objectIdAt(ids, i * 32) === objectIdAt(lost) ? undefined : found))
  const { failures } = await at.run(snapshot)
  expect(failures).toEqual([`/a: chunk ${objectIdAt(lost)} is in no pack of the repository`])
  expect(describeTree(at.target)).toEqual(['b = kept'])
})

test('a directory whose listing is damaged is empty; nothing in it is deleted', async () => {
  await using at = await openRestoring()
  const inner = await storeSnapshot(at.repository, { x: 'x' }) // the same tree as below
  const snapshot = await storeSnapshot(at.repository, { bad: { directory: { x: 'x' } }, good: 'good' })
  const index = await at.repository.index()
  const [location] = await index.locate('tree', Buffer.from(inner.tree, 'hex'))
  flipByte(join(at.directory, 'repository/meta', location!.pack.slice(0, 2), location!.pack), location!.offset + 40)
  await at.repository.close()
  await using repository = await openTestRepository(at.directory)
  mkdirSync(join(at.target, 'bad'), { recursive: true })
  writeFileSync(join(at.target, 'bad/mine'), '')
  const failures: string[] = []
  await restore(repository, snapshot, {
    target: at.target,
    deleteExtra: true,
    onFailure: ({ path }) => failures.push(path),
  })
  expect(failures).toEqual(['/bad'])
  expect(describeTree(at.target)).toEqual(['bad/', 'bad/mine = ', 'good = good'])
})

describe('verifying', () => {
  test('reads every file back', async () => {
    await using at = await openRestoring()
    const listing = { a: bytes, dir: { directory: { b: 'text', empty: '' } } }
    const { result } = await at.run(await storeSnapshot(at.repository, listing, TINY_CUTS), { verify: true })
    expect(result).toMatchObject({ bytesVerified: 40_004, failureCount: 0 })
  })

  test('finds what a trusted file hides', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, { a: 'text', b: 'fine' })
    await at.run(snapshot)
    writeFileSync(join(at.target, 'a'), 'TEXT')
    setModifiedTime(byteStringOf(join(at.target, 'a')), ownMeta().mtimeNs!)
    const { failures, result } = await at.run(snapshot, { overwrite: 'if-changed', verify: true })
    expect(failures).toEqual([expect.stringMatching(/^\/a: .*does not read back as it was written, at offset 0/)])
    expect(result).toMatchObject({ filesUnchanged: 2, bytesVerified: 8, failureCount: 1, damageCount: 0 })
  })
})
