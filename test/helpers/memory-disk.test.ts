import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type FileSystem, nodeFileSystem } from '../../src/backend/file-system.ts'
import { localBackend } from '../../src/backend/local.ts'
import { createLocalFolders } from '../../src/backend/local-folders.ts'
import { backendContract } from '../backend/contract.ts'
import { emptyImage, memoryDisk } from './memory-disk.ts'
import { temporaryDirectory } from './temporary-directory.ts'

backendContract('the local backend on a disk in memory', async () => {
  const { files } = memoryDisk(emptyImage('/'))
  await createLocalFolders('/repository', files)
  return {
    backend: localBackend('/repository', files),
    addStranger: async (kind, name) => {
      const spread = kind === 'data' || kind === 'meta' ? 'ab' : ''
      const file = await files.create(join('/repository', kind, spread, name))
      await file.close()
    },
    [Symbol.asyncDispose]: async () => {},
  }
})

/** What each call answers, or the errno of its failure. */
async function answers(files: FileSystem, directory: string): Promise<unknown[]> {
  const at = (...names: string[]): string => join(directory, ...names)
  const calls: (() => Promise<unknown>)[] = [
    () => files.makeDirectory(at('folder')),
    () => files.makeDirectory(at('folder')),
    () => files.makeDirectory(at('none', 'folder')),
    () => write(files, at('file'), 'content'),
    () => write(files, at('file'), 'again'),
    () => write(files, at('none', 'file'), 'nowhere'),
    () => write(files, at('file', 'below'), 'no folder'),
    () => files.link(at('file'), at('folder', 'link')),
    () => files.link(at('file'), at('folder', 'link')),
    () => files.link(at('none'), at('other')),
    () => files.rename(at('file'), at('folder', 'renamed')),
    () => files.rename(at('file'), at('folder', 'renamed')),
    () => files.read(at('folder', 'renamed')).then(textOf),
    () => files.read(at('folder', 'link'), { offset: 3, length: 10 }).then(textOf),
    () => files.read(at('file')),
    () => files.stat(at('folder', 'link')).then(({ size }) => size),
    () => files.stat(at('none')),
    () => files.list(at('folder')).then((entries) => entries.sort((a, b) => (a.name < b.name ? -1 : 1))),
    () => files.list(at('none')),
    () => files.list(at('folder', 'link')),
    () => files.remove(at('folder', 'link')),
    () => files.remove(at('folder', 'link')),
    () => files.syncDirectory(at('folder')),
    () => files.syncDirectory(at('none')),
    () => files.list(directory),
  ]
  const all: unknown[] = []
  for (const call of calls) all.push(await call().catch(({ code }: { code: string }) => code))
  return all
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

async function write(files: FileSystem, path: string, text: string): Promise<void> {
  const file = await files.create(path)
  await file.write([Buffer.from(text.slice(0, 3)), Buffer.from(text.slice(3))])
  await file.sync()
  await file.close()
}

test('a disk in memory answers as a real one does', async () => {
  await using tmp = await temporaryDirectory()
  const expected = await answers(nodeFileSystem, tmp.path)
  expect(expected).toContain('EEXIST')
  expect(await answers(memoryDisk(emptyImage('/disk')).files, '/disk')).toEqual(expected)
})

test('it leaves the image alone that it begins with', async () => {
  const first = memoryDisk(emptyImage('/'))
  await write(first.files, '/file', 'content')
  const image = first.image()
  const second = memoryDisk(image)
  await second.files.remove('/file')
  await write(second.files, '/other', 'content')
  expect([...image.files.keys()]).toEqual(['/file'])
  expect([...second.image().files.keys()]).toEqual(['/other'])
})
