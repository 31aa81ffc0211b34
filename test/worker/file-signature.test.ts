import {
  appendFileSync,
  chmodSync,
  linkSync,
  lstatSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fileSignature, isSameInode } from '../../src/worker/file-signature.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let path: string
beforeEach(async () => {
  tmp = await temporaryDirectory()
  path = join(tmp.path, 'file')
  writeFileSync(path, 'content')
  await setTimeout(30) // more than a tick of the clock that stamps files
})
afterEach(() => tmp[Symbol.asyncDispose]())

const signature = (): string => fileSignature(lstatSync(path, { bigint: true }))

test.each<[string, () => void]>([
  ['appending', () => appendFileSync(path, 'x')],
  ['writing the same again', () => writeFileSync(path, 'content')],
  ['a change of mode', () => chmodSync(path, 0o611)],
  ['setting the time that it has', () => utimesSync(path, lstatSync(path).atime, lstatSync(path).mtime)],
  ['a further name', () => linkSync(path, `${path}2`)],
  ['replacement by a copy', () => replaceByCopy()],
])('%s changes it', (_, change) => {
  const before = signature()
  change()
  expect(signature()).not.toBe(before)
})

test('reading does not', () => {
  const before = signature()
  readFileSync(path)
  expect(signature()).toBe(before)
})

test('it fits the file cache, for the largest numbers, too', () => {
  const stats = Object.fromEntries(
    ['dev', 'ino', 'mode', 'size', 'mtimeNs', 'ctimeNs'].map((key) => [key, -(2n ** 64n)]),
  )
  expect(fileSignature(stats as never).length).toBeLessThan(256)
})

function replaceByCopy(): void {
  const { atime, mtime } = lstatSync(path)
  writeFileSync(`${path}.new`, readFileSync(path))
  utimesSync(`${path}.new`, atime, mtime)
  renameSync(`${path}.new`, path)
}

test('the inode is told from others', () => {
  const before = signature()
  appendFileSync(path, 'x')
  expect(isSameInode(before, lstatSync(path, { bigint: true }))).toBe(true)
  writeFileSync(`${path}-new`, 'x')
  expect(isSameInode(before, lstatSync(`${path}-new`, { bigint: true }))).toBe(false)
  expect(isSameInode('', lstatSync(path, { bigint: true }))).toBe(false)
  expect(isSameInode(`${before.slice(0, before.indexOf(':') - 1)}:`, lstatSync(path, { bigint: true }))).toBe(false)
})
