import { rmSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { backup } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { measure } from '../../src/browse/stats.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { listSnapshots } from '../../src/repository/snapshots.ts'
import { createRepository, openTestRepository } from '../helpers/repository.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let repository: Repository
let source: string

beforeEach(async () => {
  tmp = await temporaryDirectory()
  source = join(tmp.path, 'source')
  await mkdir(source)
  await createRepository(tmp.path)
  repository = await openTestRepository(tmp.path)
})

afterEach(async () => {
  await repository.close()
  await tmp[Symbol.asyncDispose]()
})

const write = (name: string, bytes: number): void => writeFileSync(join(source, name), seededBytes(name, bytes))

async function store(timeMs: number): Promise<void> {
  await backup(repository, { paths: [byteStringOf(source)], timeMs })
}

test('what each snapshot alone holds, and what all of them share', async () => {
  write('shared', 1_000_000)
  write('first', 300_000)
  await store(1)
  rmSync(join(source, 'first'))
  write('second', 200_000)
  await store(2)
  rmSync(join(source, 'second'))
  write('third', 100_000)
  writeFileSync(join(source, 'copy'), seededBytes('third', 100_000)) // twice in one snapshot is still only in one
  await store(3)

  const stats = await measure(repository, await listSnapshots(repository))
  expect(stats.snapshots.map(({ exclusiveBytes }) => exclusiveBytes)).toEqual([300_000, 200_000, 100_000])
  expect(stats.snapshots.map(({ files }) => files)).toEqual([2, 2, 3])
  expect(stats).toMatchObject({ logicalBytes: 3_700_000, uniqueBytes: 1_600_000, files: 7 })
  for (const { exclusiveBytes, exclusiveStoredBytes } of stats.snapshots)
    expect(exclusiveStoredBytes).toBeGreaterThan(exclusiveBytes) // random bytes, their headers, and trees
})

test('among fewer snapshots more is only in one', async () => {
  write('shared', 500_000)
  await store(1)
  write('second', 100_000)
  await store(2)
  const snapshots = await listSnapshots(repository)
  const stats = await measure(repository, snapshots.slice(1))
  expect(stats.snapshots.map(({ exclusiveBytes }) => exclusiveBytes)).toEqual([600_000])
})

test('an equal snapshot takes all from the first', async () => {
  write('file', 500_000)
  await store(1)
  await store(2)
  const stats = await measure(repository, await listSnapshots(repository))
  expect(
    stats.snapshots.map(({ exclusiveBytes, exclusiveStoredBytes }) => exclusiveBytes + exclusiveStoredBytes),
  ).toEqual([0, 0])
  expect(stats.uniqueBytes).toBe(500_000)
})

test('stored is what the packs take on the disk', async () => {
  write('file', 500_000)
  await store(1)
  const stats = await measure(repository, await listSnapshots(repository))
  const files: string[] = []
  for (const kind of ['data', 'meta'])
    for (const entry of await readdir(join(tmp.path, 'repository', kind), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) files.push(join(entry.parentPath, entry.name))
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size))
  expect(stats.packs).toBe(files.length)
  expect(stats.storedBytes).toBe(sizes.reduce((sum, size) => sum + size, 0))
})

test('every metadata object is read at most twice, however many snapshots share it', async () => {
  for (let i = 0; i < 50; i++) write(`file-${i}`, 20_000)
  for (let time = 1; time <= 6; time++) {
    write('changing', 1000 + time)
    await store(time)
  }
  const loads = new Map<string, number>()
  const counting = new Proxy(repository, {
    get: (target, key) =>
      key === 'load'
        ? (...args: Parameters<Repository['load']>) => {
            loads.set(args[1], (loads.get(args[1]) ?? 0) + 1)
            return repository.load(...args)
          }
        : Reflect.get(target, key, target) instanceof Function
          ? Reflect.get(target, key, target).bind(target)
          : Reflect.get(target, key, target),
  })
  await measure(counting, await listSnapshots(repository))
  expect(Math.max(...loads.values())).toBe(2)
})
