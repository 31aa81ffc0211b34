import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { backup } from '../../src/backup/archiver.ts'
import { byteStringOf, displayBytes } from '../../src/base/bytes.ts'
import { findEntries } from '../../src/browse/find.ts'
import type { LoadObject } from '../../src/repository/lists.ts'
import { compilePatterns } from '../../src/repository/path-patterns.ts'
import { listSnapshots } from '../../src/repository/snapshots.ts'
import { createRepository, openTestRepository } from '../helpers/repository.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

test('entries that patterns select, in each snapshot, reading what they share once', async () => {
  await using tmp = await temporaryDirectory()
  const source = join(tmp.path, 'source')
  mkdirSync(join(source, 'old'), { recursive: true })
  writeFileSync(join(source, 'old/x.dat'), '1')
  writeFileSync(join(source, 'y.dat'), '2')
  await createRepository(tmp.path)
  await using repository = await openTestRepository(tmp.path)
  const paths = [byteStringOf(source)]
  await backup(repository, { paths, timeMs: 1 })
  writeFileSync(join(source, 'z.dat'), '3')
  await backup(repository, { paths, timeMs: 2 })
  renameSync(join(source, 'old'), join(source, 'new')) // the same tree at another path
  await backup(repository, { paths, timeMs: 3 })

  let loads = 0
  const load: LoadObject = (kind, id) => {
    loads++
    return repository.load(kind, id)
  }
  const snapshots = await listSnapshots(repository)
  const search = async (...patterns: string[]): Promise<string[][]> => {
    const found: string[][] = []
    for await (const { entries } of findEntries(load, snapshots, compilePatterns(patterns)))
      found.push(entries.map(({ path }) => displayBytes(path).replace(source, '')))
    return found
  }
  expect(await search('*.dat')).toEqual([
    ['/old/x.dat', '/y.dat'],
    ['/old/x.dat', '/y.dat', '/z.dat'],
    ['/new/x.dat', '/y.dat', '/z.dat'],
  ])
  // Three roots with the directories above the source, and `old` once at each of its two paths.
  const above = source.split('/').length - 1
  expect(loads).toBe(3 * (above + 1) + 2)
  expect(await search(`${source}/old/*`)).toEqual([['/old/x.dat'], ['/old/x.dat'], []])
  expect(await search('nothing')).toEqual([[], [], []])
})
