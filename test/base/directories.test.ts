import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeDirectories } from '../../src/base/directories.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

test('folders are made with those above them, once', async () => {
  await using tmp = await temporaryDirectory()
  const path = join(tmp.path, 'a', 'b', 'c')
  makeDirectories(path)
  makeDirectories(path)
  expect(statSync(path).mode & 0o777).toBe(0o700)
})

test('where they cannot be made it ends', async () => {
  await using tmp = await temporaryDirectory()
  writeFileSync(join(tmp.path, 'file'), '')
  expect(() => makeDirectories(join(tmp.path, 'file', 'a', 'b'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
  expect(() => makeDirectories('/proc/nothing/here')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})
