import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { resolveSources, type Sources } from '../../src/backup/sources.ts'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let notices: string[]
beforeEach(async () => {
  tmp = await temporaryDirectory()
  notices = []
  for (const name of ['a', 'a/in', 'b', 'repository', 'repository/data']) mkdirSync(join(tmp.path, name))
  writeFileSync(join(tmp.path, 'file'), '')
})
afterEach(() => tmp[Symbol.asyncDispose]())

const at = (name: string): ByteString => byteStringOf(`${tmp.path}/${name}`)
const link = (name: string, target: string): void => symlinkSync(target, join(tmp.path, name))
const resolve = (...names: string[]): Sources => resolveSources(names.map(at), undefined, (text) => notices.push(text))

test('sorted, each once, none below another', () => {
  expect(resolve('b', 'a/in', 'file', 'a', 'a//', 'b/')).toEqual({ paths: [at('a'), at('b'), at('file')], missing: [] })
  expect(notices).toEqual([])
})

describe('a symbolic link', () => {
  test.each([['link'], ['link/'], ['link//']])('stands for what it points to: %s', (asked) => {
    link('link', 'a')
    expect(resolve(asked).paths).toEqual([at('a')])
    expect(notices).toEqual([`${at('link')} is a symbolic link: backing up what it points to, ${at('a')}`])
  })

  test('through others, and to what is asked for anyway', () => {
    link('one', 'two')
    link('two', 'a/in')
    expect(resolve('one', 'a', 'file').paths).toEqual([at('a'), at('file')])
  })

  test('to nothing, or to itself, is missing', () => {
    link('dangling', 'nowhere')
    link('loop', 'loop')
    expect(resolve('dangling', 'loop', 'a')).toMatchObject({
      paths: [at('a')],
      missing: [
        { path: at('dangling'), reason: 'no such file or directory' },
        { path: at('loop'), reason: 'a symbolic link is in the way' },
      ],
    })
  })

  test('above a source is none of its business', () => {
    link('link', 'a')
    expect(resolve('link/in').paths).toEqual([at('link/in')])
  })
})

test('what is missing is named; if all is, that is an error', () => {
  expect(resolve('gone', 'a', 'file/below').missing).toEqual([
    { path: at('file/below'), reason: 'it is not a directory' },
    { path: at('gone'), reason: 'no such file or directory' },
  ])
  expect(() => resolve('gone')).toThrow(`there is nothing to back up at ${at('gone')}`)
  expect(() => resolve('gone', 'too')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
})

test.each([['relative'], [''], ['./a'], ['/a/../b'], ['/a/./b'], ['/..'], ['/a/.']])(
  'refuses %j, which is no absolute path in plain form',
  (path) => {
    expect(() => resolveSources([byteStringOf(path)], undefined, () => {})).toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    )
  },
)

test.each([['/...'], ['/..a'], ['/.a'], ['/a..']])('%j is only an odd name', (path) => {
  expect(() => resolveSources([byteStringOf(path)], undefined, () => {})).toThrow(
    expect.objectContaining({ code: 'NOT_FOUND' }),
  )
})

describe('a repository cannot back up itself', () => {
  const within = (source: string, repository: string): Sources =>
    resolveSources([at(source)], join(tmp.path, repository), () => {})
  beforeEach(() => {
    link('link', 'repository')
    mkdirSync(join(tmp.path, 'repository2'))
  })

  test.each([
    ['repository', 'repository'],
    ['repository/data', 'repository'],
    ['link', 'repository'],
    ['link/data', 'repository'],
    ['repository/data', 'link'],
  ])('%s lies inside %s', (source, repository) => {
    expect(() => within(source, repository)).toThrow(expect.objectContaining({ code: 'REFUSED' }))
  })

  test.each([
    ['repository2', 'repository'],
    ['a', 'repository'],
    ['', 'repository'],
  ])('%j does not lie inside %s', (source, repository) => {
    expect(within(source, repository).missing).toEqual([])
  })
})
