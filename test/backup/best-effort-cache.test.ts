import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BestEffortCache } from '../../src/backup/best-effort-cache.ts'
import { FileCacheReader, FileCacheWriter } from '../../src/backup/file-cache.ts'
import type { ByteString } from '../../src/base/bytes.ts'
import { parseObjectId } from '../../src/base/ids.ts'
import { type BackingUp, backingUp } from '../helpers/backing-up.ts'
import { onSmallDisk } from '../helpers/small-disk.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'
import { asNobody } from '../helpers/unprivileged.ts'

const TREE = parseObjectId('5a'.repeat(32))
const OTHER = parseObjectId('22'.repeat(32))
const CACHED = { signature: 'signature', node: new Uint8Array(1000) }
const cannot = (reason: string): string =>
  `cannot remember the files for the next backup (${reason}): it will read everything again`

let tmp: TemporaryDirectory
const notices: string[] = []
const notice = (text: string): unknown => notices.push(text)
beforeEach(async () => {
  notices.length = 0
  tmp = await temporaryDirectory()
})
afterEach(() => tmp[Symbol.asyncDispose]())

/** Writes a cache of two megabytes. */
function remember(directory: string, keep: (name: string) => boolean = () => true): void {
  using cache = new BestEffortCache(directory, Date.now(), notice)
  cache.enter('a' as ByteString)
  for (let i = 0; i < 2000; i++) cache.entry(`${10_000 + i}` as ByteString, CACHED)
  cache.leave(CACHED)
  cache.leave(CACHED)
  cache.commit(TREE, keep)
}

test('what can be written is there, and what is not wanted goes', () => {
  {
    using other = new FileCacheWriter(tmp.path, 1)
    other.commit(OTHER)
  }
  vi.useFakeTimers({ now: Date.now() + 60_000, toFake: ['Date'] })
  remember(tmp.path, (name) => name === TREE)
  vi.useRealTimers()
  expect(readdirSync(join(tmp.path, 'files'))).toEqual([TREE])
  using cache = FileCacheReader.open(tmp.path, TREE)
  expect(cache?.enter('a' as ByteString, () => {})).toBe(true)
  expect(notices).toEqual([])
})

describe('one notice, and no error, where', () => {
  test('a file is in the way', () => {
    writeFileSync(join(tmp.path, 'file'), '')
    remember(join(tmp.path, 'file'))
    expect(notices).toEqual([cannot('it is not a directory')])
  })

  test('the folder is read-only', () => {
    mkdirSync(join(tmp.path, 'files'))
    asNobody(tmp.path, { files: 0o500 }, () => remember(tmp.path))
    expect(notices).toEqual([cannot('permission denied')])
  })

  test('the disk is full from the start, or becomes so', (context) => {
    onSmallDisk(context, tmp.path, '1m', (directory) => {
      remember(directory)
      expect(notices).toEqual([cannot('no space left on the device')])
      expect(readdirSync(join(directory, 'files')), 'half a cache only takes the room').toEqual([])
      execFileSync('sh', ['-c', `cat /dev/zero > ${directory}/ballast || true`], { stdio: 'ignore' })
      remember(directory)
      expect(notices).toHaveLength(2)
    })
  })

  test('the folder goes away before the end', () => {
    {
      using cache = new BestEffortCache(tmp.path, 1, notice)
      cache.leave(CACHED)
      rmSync(join(tmp.path, 'files'), { recursive: true })
      cache.commit(TREE, () => true)
    }
    expect(notices).toEqual([cannot('no such file or directory')])
  })

  test('others cannot be removed', () => {
    mkdirSync(join(tmp.path, 'files'))
    symlinkSync('loop', join(tmp.path, 'files', 'loop'))
    using cache = new BestEffortCache(tmp.path, Date.now() + 60_000, notice)
    cache.commit(TREE, () => false)
    expect(notices).toEqual(['cannot remove what is remembered of earlier backups (a symbolic link is in the way)'])
  })
})

test('a mistake of ours is no failed file call', () => {
  using cache = new BestEffortCache(tmp.path, 1, notice)
  expect(() => cache.entry('n'.repeat(70_000) as ByteString, CACHED)).toThrow(RangeError)
})

describe('what cannot be read is not remembered', () => {
  test.each<[string, (path: string) => void]>([
    ['a folder', (path) => mkdirSync(path)],
    ['a link to nowhere', (path) => symlinkSync(path, path)],
    ['a file that the device cannot read', (path) => symlinkSync('/proc/self/mem', path)],
  ])('%s', (_, make) => {
    mkdirSync(join(tmp.path, 'files'))
    make(join(tmp.path, 'files', TREE))
    expect(FileCacheReader.open(tmp.path, TREE)).toBeUndefined()
  })

  test('and where a file is in the place of the folder', () => {
    writeFileSync(join(tmp.path, 'files'), '')
    expect(FileCacheReader.open(tmp.path, TREE)).toBeUndefined()
  })
})

describe('a backup succeeds', () => {
  /** Makes a snapshot of one file; the next one is the same. */
  async function runTwice(at: BackingUp): Promise<void> {
    for (const round of [1, 2]) {
      const { id, contents, notices, failures } = await at.run()
      expect(id, `run ${round}`).toBeDefined()
      expect(contents).toEqual({ file: 'content' })
      expect(failures).toEqual([])
      expect(notices.filter((text) => text.startsWith('cannot remember'))).toHaveLength(1)
    }
  }

  test('when a file is in the place of its cache folder', async () => {
    await using at = await backingUp()
    writeFileSync(join(at.source, 'file'), 'content')
    writeFileSync(join(at.path, 'cache'), '')
    await runTwice(at)
  })

  test('when nothing may be written there', async () => {
    await using at = await backingUp()
    writeFileSync(join(at.source, 'file'), 'content')
    mkdirSync(join(at.path, 'cache'))
    await asNobody(at.path, { cache: 0o500 }, () => runTwice(at))
  })
})
