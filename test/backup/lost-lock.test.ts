import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { FileKind } from '../../src/backend/backend.ts'
import { localBackend } from '../../src/backend/local.ts'
import { type BackupResult, backup } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { check } from '../../src/maintain/check.ts'
import { forget } from '../../src/maintain/forget.ts'
import { prune } from '../../src/maintain/prune.ts'
import { openRepository, type Repository } from '../../src/repository/repository.ts'
import { listSnapshots } from '../../src/repository/snapshots.ts'
import { createRepository, openTestRepository, testEnvironment } from '../helpers/repository.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

interface Asleep extends AsyncDisposable {
  readonly repository: Repository
  run(): Promise<BackupResult>
}

/** One backup is there. When the next begins to write its snapshot, or a pack, its lock is taken away, as if the machine had slept, and `meanwhile` done. */
async function fallingAsleep(meanwhile: (path: string) => Promise<void>, at: FileKind = 'snapshots'): Promise<Asleep> {
  const tmp = await temporaryDirectory()
  await createRepository(tmp.path)
  const folder = join(tmp.path, 'repository')
  const source = join(tmp.path, 'source')
  mkdirSync(source)
  for (const name of ['a', 'b']) writeFileSync(join(source, name), seededBytes(name, 20_000))
  const backend = localBackend(folder)
  const repository = await openRepository(backend, testEnvironment(tmp.path))
  const run = (): Promise<BackupResult> => backup(repository, { paths: [byteStringOf(source)], threads: 1 })
  await run()
  writeFileSync(join(source, 'c'), 'new')
  const begin = backend.begin.bind(backend)
  backend.begin = async (kind) => {
    if (kind !== at) return await begin(kind)
    backend.begin = begin
    const file = await begin(kind)
    for (const name of readdirSync(join(folder, 'locks'))) rmSync(join(folder, 'locks', name))
    await meanwhile(tmp.path)
    return file
  }
  return {
    repository,
    run,
    async [Symbol.asyncDispose]() {
      await repository.close()
      await tmp[Symbol.asyncDispose]()
    },
  }
}

test('a backup that was taken for dead looks whether all is there that it needs, and then publishes', async () => {
  await using it = await fallingAsleep(async () => {})
  await it.run()
  expect(await check(it.repository, { readData: 'all' })).toMatchObject({ healthy: true, snapshots: 2 })
})

test('if not, it publishes nothing: a prune has removed what it relied on', async () => {
  await using it = await fallingAsleep(async (path) => {
    await using other = await openTestRepository(path)
    await forget(
      other,
      (await listSnapshots(other)).map(({ id }) => id),
    )
    expect((await prune(other)).packsRemoved).toBeGreaterThan(0)
  })
  await expect(it.run()).rejects.toMatchObject({ code: 'LOCKED' })
  expect(await listSnapshots(it.repository)).toEqual([])
  await it.run()
  expect(await check(it.repository, { readData: 'all' })).toMatchObject({ healthy: true, snapshots: 1 })
})

test('what is condemned by then is copied: nobody waits for a backup that was taken for dead', async () => {
  await using it = await fallingAsleep(async (path) => {
    await using other = await openTestRepository(path)
    await forget(
      other,
      (await listSnapshots(other)).map(({ id }) => id),
    )
    expect((await prune(other, { graceMs: 1e6 })).pending).toHaveLength(1)
  })
  await it.run()
  await using other = await openTestRepository(join(it.repository.backend.location, '..'))
  await prune(other, { graceMs: 0 })
  expect((await other.backend.list('condemned')[Symbol.asyncIterator]().next()).done).toBe(true)
  expect(await check(other, { readData: 'all' })).toMatchObject({ healthy: true, snapshots: 1 })
})

test.each(['data', 'meta'] as const)(
  'a backup of which an unfinished pack (%s) was taken away says why',
  async (kind) => {
    const expel = async (path: string): Promise<void> => {
      for (const name of readdirSync(join(path, 'repository/tmp'))) rmSync(join(path, 'repository/tmp', name))
    }
    await using it = await fallingAsleep(expel, kind)
    const reason = 'this process was taken for dead, since its lock was not renewed for half an hour; try again'
    await expect(it.run()).rejects.toMatchObject({ code: 'LOCKED', message: reason })
    await it.run()
    expect(await check(it.repository, { readData: 'all' })).toMatchObject({ healthy: true, snapshots: 2 })
  },
)
