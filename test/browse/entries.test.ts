import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { backup } from '../../src/backup/archiver.ts'
import { type ByteString, byteStringOf, displayBytes, fromByteString, toByteString } from '../../src/base/bytes.ts'
import { findEntry, type ListOptions, listEntries } from '../../src/browse/entries.ts'
import type { Snapshot } from '../../src/format/snapshot.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { createRepository, openTestRepository } from '../helpers/repository.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let repository: Repository
let snapshot: Snapshot
let source: ByteString

beforeEach(async () => {
  tmp = await temporaryDirectory()
  const path = join(tmp.path, 'source')
  source = byteStringOf(path)
  mkdirSync(join(path, 'b/c'), { recursive: true })
  writeFileSync(join(path, 'a'), 'aa')
  writeFileSync(join(path, 'b/c/d'), 'd')
  symlinkSync('a', join(path, 'z'))
  writeFileSync(Buffer.concat([Buffer.from(path), Buffer.from([0x2f, 0xff])]), '')
  await createRepository(tmp.path)
  repository = await openTestRepository(tmp.path)
  snapshot = (await backup(repository, { paths: [source] })).snapshot
})

afterEach(async () => {
  await repository.close()
  await tmp[Symbol.asyncDispose]()
})

async function list(path: ByteString, options?: ListOptions): Promise<string[]> {
  const found: string[] = []
  for await (const entry of listEntries(repository.load, snapshot.tree, path, options))
    found.push(displayBytes(entry.path))
  return found.map((each) => each.replace(tmp.path, ''))
}

test('a directory, in bytewise order', async () => {
  expect(await list(source)).toEqual(['/source/a', '/source/b', '/source/z', '/source/\\xff'])
})

test('all below, depth first', async () => {
  const below = ['/source/a', '/source/b', '/source/b/c', '/source/b/c/d', '/source/z', '/source/\\xff']
  expect(await list(source, { recursive: true })).toEqual(below)
  const all = await list('/' as ByteString, { recursive: true })
  expect(all.slice(-below.length)).toEqual(below)
  expect(all[0]).toBe('/tmp')
})

test('a file is its own listing', async () => {
  expect(await list(byteStringOf(join(tmp.path, 'source/a')))).toEqual(['/source/a'])
})

test('names are bytes', async () => {
  const path = toByteString(Buffer.concat([fromByteString(source), Buffer.from([0x2f, 0xff])]))
  expect(await findEntry(repository.load, snapshot.tree, path)).toMatchObject({ path, node: { type: 'file', size: 0 } })
})

test('what is not there, or lies behind a link or a file, is not found', async () => {
  for (const name of ['x', 'a/x', 'z/x', 'b/c/d/e'])
    await expect(list(byteStringOf(join(tmp.path, 'source', name)))).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
