import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { restore } from '../../src/restore/restorer.ts'
import { describeTree, openRestoring, type Restoring } from '../helpers/restoring.ts'
import { storeSnapshot } from '../helpers/store-tree.ts'

const LISTING = { a: 'x', dir: { directory: { b: 'y' } } }

function plant(at: Restoring): void {
  for (const path of ['dir/sub/deep', 'more/x']) mkdirSync(join(at.target, path), { recursive: true })
  for (const path of ['0', 'dir/0', 'dir/c', 'dir/sub/deep/keep.log', 'dir/sub/gone', 'more/x/file', 'z'])
    writeFileSync(join(at.target, path), '')
}

test('nothing is deleted unless asked for', async () => {
  await using at = await openRestoring()
  plant(at)
  const { result } = await at.run(await storeSnapshot(at.repository, LISTING))
  expect(result.filesDeleted).toBe(0)
  expect(describeTree(at.target)).toContain('more/x/file = ')
})

test('what is not in the snapshot goes, in every directory', async () => {
  await using at = await openRestoring()
  plant(at)
  const { items, result } = await at.run(await storeSnapshot(at.repository, LISTING), { deleteExtra: true })
  expect(describeTree(at.target)).toEqual(['a = x', 'dir/', 'dir/b = y'])
  expect(items.filter((item) => item.startsWith('deleted'))).toEqual([
    'deleted TARGET/0',
    'deleted TARGET/dir/0',
    'deleted TARGET/dir/c',
    'deleted TARGET/dir/sub/deep/keep.log',
    'deleted TARGET/dir/sub/deep',
    'deleted TARGET/dir/sub/gone',
    'deleted TARGET/dir/sub',
    'deleted TARGET/more/x/file',
    'deleted TARGET/more/x',
    'deleted TARGET/more',
    'deleted TARGET/z',
  ])
  expect(result.filesDeleted).toBe(11)
})

test('what is excluded stays, and so do the directories above it', async () => {
  await using at = await openRestoring()
  plant(at)
  await at.run(await storeSnapshot(at.repository, LISTING), { deleteExtra: true, exclude: ['*.log', '/more'] })
  expect(describeTree(at.target)).toEqual([
    'a = x',
    'dir/',
    'dir/b = y',
    'dir/sub/',
    'dir/sub/deep/',
    'dir/sub/deep/keep.log = ',
    'more/',
    'more/x/',
    'more/x/file = ',
  ])
})

test('only what is included goes', async () => {
  await using at = await openRestoring()
  plant(at)
  const { items } = await at.run(await storeSnapshot(at.repository, LISTING), {
    deleteExtra: true,
    include: ['*.log', '/more/x'],
  })
  expect(items).toEqual(['deleted TARGET/dir/sub/deep/keep.log', 'deleted TARGET/more/x/file', 'deleted TARGET/more/x'])
})

test('a file that is in the snapshot and excluded stays', async () => {
  await using at = await openRestoring()
  mkdirSync(at.target)
  writeFileSync(join(at.target, 'a'), 'mine')
  await at.run(await storeSnapshot(at.repository, LISTING), { deleteExtra: true, exclude: ['/a'] })
  expect(describeTree(at.target)).toEqual(['a = mine', 'dir/', 'dir/b = y'])
})

test('the repository is spared', async () => {
  await using at = await openRestoring()
  const snapshot = await storeSnapshot(at.repository, LISTING)
  mkdirSync(at.target)
  writeFileSync(join(at.target, 'extra'), '')
  await restore(at.repository, snapshot, { target: at.directory, deleteExtra: true })
  expect(describeTree(at.directory).filter((line) => !line.startsWith('repository/'))).toEqual([
    'a = x',
    'dir/',
    'dir/b = y',
  ])
  expect(describeTree(join(at.directory, 'repository'))).toContain('data/')
})
