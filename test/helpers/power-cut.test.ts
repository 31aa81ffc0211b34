import { expect, test } from 'vitest'
import type { FileSystem } from '../../src/backend/file-system.ts'
import { type DiskOperation, emptyImage, memoryDisk } from './memory-disk.ts'
import { PowerCut } from './power-cut.ts'

const START = { ...emptyImage('/tmp'), directories: new Set(['/', '/a', '/b', '/tmp']) }

/** Every state in which the disk may be after `act` and a power cut: its files as `path = content`, empty folders as `path/`. */
async function statesAfter(act: (files: FileSystem) => Promise<void>): Promise<string[]> {
  const operations: DiskOperation[] = []
  await act(memoryDisk(START, { onOperation: (operation) => operations.push(operation) }).files)
  const cut = new PowerCut(START, '/tmp')
  for (const operation of operations) cut.apply(operation)
  const states = new Map<string, string>()
  for (const { key, image } of cut.images()) {
    const made = [...image.directories].filter((path) => !START.directories.has(path)).map((path) => `${path}/`)
    const files = [...image.files].map(([path, { bytes }]) => `${path} = ${Buffer.from(bytes).toString()}`)
    const state = [...made, ...files].join(', ')
    expect(states.get(key) ?? state).toBe(state)
    states.set(key, state)
  }
  return [...new Set(states.values())].sort()
}

async function create(files: FileSystem, path: string, text: string, sync = true): Promise<void> {
  const file = await files.create(path)
  await file.write([Buffer.from(text)])
  if (sync) await file.sync()
}

test('a name is sure once its folder was synced, and bytes once the file was', async () => {
  expect(await statesAfter((files) => create(files, '/a/file', 'text', false))).toEqual([
    '',
    '/a/file = ',
    '/a/file = \0\0\0\0',
    '/a/file = te\0\0',
    '/a/file = text',
  ])
  expect(await statesAfter((files) => create(files, '/a/file', 'text'))).toEqual(['', '/a/file = text'])
  const all = async (files: FileSystem): Promise<void> => {
    await create(files, '/a/file', 'text')
    await files.syncDirectory('/a')
  }
  expect(await statesAfter(all)).toEqual(['/a/file = text'])
})

test('names happen or not whatever the others do, also in another folder, and another one synced helps none', async () => {
  const states = await statesAfter(async (files) => {
    await create(files, '/a/1', '')
    await create(files, '/b/2', '')
    await create(files, '/a/3', '')
    await files.syncDirectory('/b')
  })
  expect(states).toEqual(['/a/1 = , /a/3 = , /b/2 = ', '/a/1 = , /b/2 = ', '/a/3 = , /b/2 = ', '/b/2 = '])
})

test('a removal that was not synced may not have happened', async () => {
  const states = await statesAfter(async (files) => {
    await create(files, '/a/file', 'text')
    await files.syncDirectory('/a')
    await files.remove('/a/file')
  })
  expect(states).toEqual(['', '/a/file = text'])
})

test('a folder that is lost takes with it what is in it, synced or not', async () => {
  const states = await statesAfter(async (files) => {
    await files.makeDirectory('/a/new')
    await create(files, '/a/new/file', 'text')
    await files.syncDirectory('/a/new')
  })
  expect(states).toEqual(['', '/a/new/, /a/new/file = text'])
})

test('a rename is all or nothing, but for the old name', async () => {
  const states = await statesAfter(async (files) => {
    await create(files, '/a/old', 'text')
    await files.syncDirectory('/a')
    await files.rename('/a/old', '/b/new')
  })
  expect(states).toEqual(['/a/old = text', '/a/old = text, /b/new = text', '/b/new = text'])
})

test('what is in the temporary folder may be there or not, whole or not, whenever it was removed', async () => {
  const states = await statesAfter(async (files) => {
    await create(files, '/tmp/file', 'text', false)
    await files.remove('/tmp/file')
  })
  expect(states).toEqual(['', '/tmp/file = te\0\0'])
})
