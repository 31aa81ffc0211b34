import { chmodSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { backup } from '../../src/backup/archiver.ts'
import { type ByteString, byteStringOf, displayBytes } from '../../src/base/bytes.ts'
import type { ObjectId } from '../../src/base/ids.ts'
import { type Change, diffTrees } from '../../src/browse/diff.ts'
import { countChange, type DiffStatistics, emptyDiffStatistics } from '../../src/browse/diff-statistics.ts'
import type { LoadObject } from '../../src/repository/lists.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { createRepository, openTestRepository } from '../helpers/repository.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let repository: Repository
let source: string

beforeEach(async () => {
  tmp = await temporaryDirectory()
  source = join(tmp.path, 'source')
  mkdirSync(source)
  await createRepository(tmp.path)
  repository = await openTestRepository(tmp.path)
})

afterEach(async () => {
  await repository.close()
  await tmp[Symbol.asyncDispose]()
})

const write = (name: string, content: string | Uint8Array): void => writeFileSync(join(source, name), content)

async function store(): Promise<ObjectId> {
  utimesSync(source, 1, 1) // or else each change would be one of the directory, too
  return (await backup(repository, { paths: [byteStringOf(source)], kind: 'full' })).snapshot.tree
}

async function diff(before: ObjectId, after: ObjectId, load: LoadObject = repository.load): Promise<Change[]> {
  const changes: Change[] = []
  for await (const change of diffTrees(load, before, after, '/' as ByteString)) changes.push(change)
  return changes
}

const shown = (changes: readonly Change[]): string[] =>
  changes.map(({ path, modifier }) => `${modifier} ${displayBytes(path).replace(`${source}/`, '')}`)

async function count(changes: readonly Change[]): Promise<DiffStatistics> {
  const statistics = emptyDiffStatistics()
  for (const change of changes) await countChange(repository.load, statistics, change)
  return statistics
}

test('what was added, removed, modified, updated, and made something else', async () => {
  for (const name of ['content', 'same-size', 'mode', 'removed', 'type', 'same']) write(name, `before: ${name}`)
  symlinkSync('before', join(source, 'link'))
  const before = await store()
  write('content', 'after')
  write('same-size', 'AFTER!: same-size')
  chmodSync(join(source, 'mode'), 0o600)
  rmSync(join(source, 'removed'))
  rmSync(join(source, 'type'))
  symlinkSync('x', join(source, 'type'))
  rmSync(join(source, 'link'))
  symlinkSync('after', join(source, 'link'))
  write('added', 'a')
  const after = await store()
  const changes = await diff(before, after)
  expect(shown(changes)).toEqual([
    '+ added',
    'M content',
    'M link',
    'U mode',
    '- removed',
    'M same-size',
    'T type',
  ]) // biome-ignore format: a line each
  expect(await count(changes)).toMatchObject({
    changedFiles: 3,
    added: { files: 1, directories: 0, others: 1 },
    removed: { files: 2, directories: 0, others: 0 },
    onlyMetadata: { files: 1, directories: 0, others: 0 },
  })
  expect(await diff(after, after)).toEqual([])
})

test('what is below directories that come, go, or become files', async () => {
  mkdirSync(join(source, 'gone/below'), { recursive: true })
  write('gone/below/file', '1')
  mkdirSync(join(source, 'turned'))
  write('turned/file', '22')
  const before = await store()
  rmSync(join(source, 'gone'), { recursive: true })
  rmSync(join(source, 'turned'), { recursive: true })
  write('turned', '333')
  mkdirSync(join(source, 'come'))
  write('come/file', '4444')
  const changes = await diff(before, await store())
  expect(shown(changes)).toEqual([
    '+ come',
    '+ come/file',
    '- gone',
    '- gone/below',
    '- gone/below/file',
    'T turned',
    '- turned/file',
  ]) // biome-ignore format: a line each
  expect(await count(changes)).toEqual({
    changedFiles: 0,
    added: { files: 2, directories: 1, others: 0, bytes: 7 },
    removed: { files: 2, directories: 3, others: 0, bytes: 3 },
    onlyMetadata: { files: 0, directories: 0, others: 0 },
  })
})

test('of a changed file, the bytes in chunks that only one side has', async () => {
  const content = seededBytes('diff', 20_000_000)
  write('file', content)
  const before = await store()
  content.fill(7, 10_000_000, 10_001_000)
  write('file', Buffer.concat([content, Buffer.from('tail')]))
  const { added, removed } = await count(await diff(before, await store()))
  expect(added.bytes).toBeGreaterThan(1000)
  expect(added.bytes).toBeLessThan(600_000)
  expect(removed.bytes).toBeGreaterThan(1000)
  expect(removed.bytes).toBeLessThan(600_000)
})

test('directories that are the same are not read', async () => {
  for (const name of ['a', 'b', 'c']) {
    mkdirSync(join(source, name))
    write(`${name}/file`, name)
  }
  const before = await store()
  write('b/file', 'changed')
  const after = await store()
  let loads = 0
  await diff(before, after, (kind, id) => {
    loads++
    return repository.load(kind, id)
  })
  const above = source.split('/').length - 1
  expect(loads).toBe(2 * (above + 2)) // on either side: the root, the way to the source, the source, and b
})
