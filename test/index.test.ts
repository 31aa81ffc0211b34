import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as chainkeep from '../src/index.ts'
import { temporaryDirectory } from './helpers/temporary-directory.ts'

test('a program can do what the command line does', async () => {
  await using tmp = await temporaryDirectory()
  const [path, source, target] = ['repository', 'node', 'out'].map((name) => join(tmp.path, name)) as [
    string,
    string,
    string,
  ]
  const options = { cacheDirectory: join(tmp.path, 'cache'), host: 'here' }
  mkdirSync(source)
  writeFileSync(join(source, 'wallet.dat'), 'keys')

  await chainkeep.initRepository(path, options)
  await using repository = await chainkeep.openRepository(path, options)
  const paths = [chainkeep.byteStringOf(source)]
  const { id, snapshot } = await chainkeep.backup(repository, { paths, tags: ['first'] })
  await chainkeep.backup(repository, { paths, kind: 'full' })
  const [first, second] = await chainkeep.listSnapshots(repository)
  expect(first).toMatchObject({ id, snapshot: { host: 'here', program: 'chainkeep library', tags: ['first'] } })

  await chainkeep.restore(repository, snapshot, { target, path: paths[0] })
  expect(readFileSync(join(target, 'wallet.dat'), 'utf8')).toBe('keys')
  expect((await chainkeep.check(repository, { readData: 'all' })).healthy).toBe(true)

  const [plan] = chainkeep.planForget([first!, second!], { last: 1 }, { nowMs: Date.now() })
  expect(plan!.remove.map((stored) => stored.id)).toEqual([id])
  await chainkeep.forget(repository, [id!])
  expect((await chainkeep.prune(repository)).objectsFreed).toBeGreaterThanOrEqual(0)
  expect(await chainkeep.listSnapshots(repository)).toHaveLength(1)
})

test('errors have codes', async () => {
  await using tmp = await temporaryDirectory()
  const opening = chainkeep.openRepository(tmp.path)
  await expect(opening).rejects.toSatisfy((error) => chainkeep.isCode(error, 'NO_REPOSITORY'))
})
