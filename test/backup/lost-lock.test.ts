import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { backup } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { listSnapshots } from '../../src/repository/snapshots.ts'
import { createRepository, openTestRepository } from '../helpers/repository.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

test('a backup whose lock was taken for abandoned publishes nothing: a prune may have removed what it relies on', async () => {
  await using tmp = await temporaryDirectory()
  await createRepository(tmp.path)
  const source = join(tmp.path, 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'file'), 'content')
  await using repository = await openTestRepository(tmp.path)
  const locks = join(tmp.path, 'repository', 'locks')
  const options = { paths: [byteStringOf(source)], threads: 1 }
  const losing = backup(repository, {
    ...options,
    onItem: () => {
      for (const name of readdirSync(locks)) rmSync(join(locks, name))
    },
  })
  await expect(losing).rejects.toMatchObject({ code: 'LOCKED' })
  expect(await listSnapshots(repository)).toEqual([])
  await backup(repository, options)
  expect(await listSnapshots(repository)).toHaveLength(1)
})
