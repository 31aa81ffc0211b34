import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { backup } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { restore } from '../../src/restore/restorer.ts'
import { createRepository, openTestRepository } from '../helpers/repository.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

const path = (name: string): ReturnType<typeof byteStringOf> => byteStringOf(name)

test('deleting spares what the backup could not read', async () => {
  await using tmp = await temporaryDirectory()
  const source = join(tmp.path, 'source')
  await createRepository(tmp.path)
  mkdirSync(join(source, 'unread'), { recursive: true })
  writeFileSync(join(source, 'kept'), '1')
  await using repository = await openTestRepository(tmp.path)
  const { snapshot } = await backup(repository, { paths: [path(source)] })
  for (const name of ['secret', 'unread/inside', 'extra']) writeFileSync(join(source, name), 'x')
  const failures = ['secret', 'unread'].map((name) => ({ path: path(join(source, name)), reason: 'permission denied' }))
  const torn = { ...snapshot, failures, failureCount: 2 }
  await restore(repository, torn, { target: source, path: path(source), deleteExtra: true })
  expect(['secret', 'unread/inside', 'extra', 'kept'].map((name) => existsSync(join(source, name)))).toEqual([
    true,
    true,
    false,
    true,
  ])
  const unnamed = { ...torn, failureCount: 3 }
  const again = restore(repository, unnamed, { target: source, path: path(source), deleteExtra: true })
  await expect(again).rejects.toMatchObject({ code: 'REFUSED' })
})

test('deleting never reaches into another file system', async (context) => {
  await using tmp = await temporaryDirectory()
  const source = join(tmp.path, 'source')
  const mounted = join(source, 'mounted')
  await createRepository(tmp.path)
  mkdirSync(source)
  writeFileSync(join(source, 'kept'), '1')
  await using repository = await openTestRepository(tmp.path)
  const { snapshot } = await backup(repository, { paths: [path(source)] })
  mkdirSync(mounted)
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'chainkeep-test', mounted], { stdio: 'ignore' })
  } catch {
    return context.skip('mounting is not allowed here')
  }
  try {
    writeFileSync(join(mounted, 'precious'), '1')
    await restore(repository, snapshot, { target: source, path: path(source), deleteExtra: true })
    expect(existsSync(join(mounted, 'precious'))).toBe(true)
  } finally {
    execFileSync('umount', [mounted])
  }
})
