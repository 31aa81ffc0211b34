import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type BackupOptions, type BackupResult, backup } from '../../src/backup/archiver.ts'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { listSnapshots } from '../../src/repository/snapshots.ts'
import { createRepository, openTestRepository, readContent, readNodes } from '../helpers/repository.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
beforeEach(async () => {
  tmp = await temporaryDirectory()
  await createRepository(tmp.path)
})
afterEach(() => tmp[Symbol.asyncDispose]())

async function* inParts(content: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += length) yield content.subarray(at, at + length)
}

async function store(
  source: AsyncIterable<Uint8Array>,
  filename = '/dump',
  options: Partial<BackupOptions> = {},
): Promise<BackupResult & { content: Buffer; paths: string[] }> {
  await using repository = await openTestRepository(tmp.path)
  const stdin = { source, filename: byteStringOf(filename) }
  const result = await backup(repository, { paths: [], stdin, threads: 1, ...options })
  const nodes = await readNodes(repository, result.snapshot.tree)
  const file = [...nodes.values()].find(({ type }) => type === 'file')
  return { ...result, content: await readContent(repository, file), paths: [...nodes.keys()] }
}

async function snapshotCount(): Promise<number> {
  await using repository = await openTestRepository(tmp.path)
  return (await listSnapshots(repository)).length
}

test.each([
  [1, 1],
  [0, 1],
  [100_000, 7],
  [3_000_000, 65_536],
  [3_000_000, 3_000_000],
])('%i bytes in parts of %i', async (size, part) => {
  const content = seededBytes(size, size)
  const stored = await store(inParts(content, part))
  expect(stored.content.equals(content)).toBe(true)
  expect(stored.snapshot.summary).toMatchObject({ filesNew: 1, totalBytes: size, bytesRead: size })
})

test('empty parts are no end', async () => {
  async function* withGaps(): AsyncGenerator<Uint8Array> {
    for (const text of ['', 'a', '', '', 'b', '']) yield Buffer.from(text)
  }
  expect((await store(withGaps())).content.toString()).toBe('ab')
})

test('its chunks are those of the same bytes in a file, across segments', async () => {
  const content = Buffer.alloc(64 * 2 ** 20 + 300_001) // zeros are quick; the end tells whether the segment was cut
  seededBytes(1, 700_000).copy(content, content.length - 700_000)
  await store(inParts(content, 2 ** 20 + 1))
  mkdirSync(join(tmp.path, 's'))
  writeFileSync(join(tmp.path, 's/file'), content)
  await using repository = await openTestRepository(tmp.path)
  const { snapshot } = await backup(repository, { paths: [byteStringOf(join(tmp.path, 's'))], threads: 1 })
  expect(snapshot.summary).toMatchObject({ chunksAdded: 0, totalBytes: content.length })
})

describe('its name', () => {
  test('may lead through directories', async () => {
    expect((await store(inParts(Buffer.from('x'), 1), '/a//b/ü')).paths).toEqual([
      '/a',
      '/a/b',
      `/a/b/${byteStringOf('ü')}`,
    ])
    expect((await store(inParts(Buffer.from('x'), 1), 'plain')).paths).toEqual(['/plain'])
  })

  test.each([[''], ['/'], ['a/..'], ['../a'], ['.'], ['a\0b']])('cannot be %j', async (filename) => {
    await expect(store(inParts(Buffer.from('x'), 1), filename)).rejects.toMatchObject({ code: 'USAGE' })
    expect(await snapshotCount()).toBe(0)
  })
})

test('a source that fails leaves no snapshot', async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('x')
    throw new Error('pg_dump died')
  }
  await expect(store(failing())).rejects.toThrow('pg_dump died')
  expect(await snapshotCount()).toBe(0)
})

test('interrupted, it leaves no snapshot', async () => {
  const signal = AbortSignal.abort()
  await expect(store(inParts(seededBytes(1, 1000), 10), '/x', { signal })).rejects.toMatchObject({
    code: 'INTERRUPTED',
  })
  expect(await snapshotCount()).toBe(0)
})

test('a dry run stores nothing, the next stream of that name has the last as its parent', async () => {
  await using repository = await openTestRepository(tmp.path)
  const run = (dryRun: boolean): Promise<BackupResult> => {
    const stdin = { source: inParts(Buffer.from('x'), 1), filename: '/x' as ByteString }
    return backup(repository, { paths: [], stdin, threads: 1, dryRun })
  }
  expect((await run(true)).id).toBeUndefined()
  const first = await run(false)
  const second = await run(false)
  expect([first.snapshot.kind, second.snapshot.kind, second.snapshot.parent]).toEqual(['full', 'incremental', first.id])
})
