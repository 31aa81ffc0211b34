import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CachedEntry, FileCacheReader, FileCacheWriter, pruneFileCaches } from '../../src/backup/file-cache.ts'
import type { ByteString } from '../../src/base/bytes.ts'
import { parseObjectId } from '../../src/base/ids.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
beforeEach(async () => {
  tmp = await temporaryDirectory()
})
afterEach(() => tmp[Symbol.asyncDispose]())

const TREE = parseObjectId('5a'.repeat(32))
const cachePath = (): string => join(tmp.path, 'files', TREE)

/** A directory's entries by name: another directory, or what is known of a file. */
type Directory = Map<string, Directory | CachedEntry>
const isDirectory = (entry: Directory | CachedEntry | undefined): entry is Directory => entry instanceof Map
const sorted = (directory: Directory): [ByteString, Directory | CachedEntry][] =>
  [...directory].sort(([a], [b]) => (a < b ? -1 : 1)) as [ByteString, Directory | CachedEntry][]
const cached = (signature: string, node: string | Uint8Array = `node of ${signature}`): CachedEntry => ({
  signature,
  node: Uint8Array.from(Buffer.from(node)),
})
const ROOT = cached('the root', '')

function save(root: Directory, startMs = 1234): void {
  using writer = new FileCacheWriter(tmp.path, startMs)
  const write = (directory: Directory, path: string): void => {
    for (const [name, entry] of sorted(directory)) {
      if (!isDirectory(entry)) writer.entry(name, entry)
      else {
        writer.enter(name)
        write(entry, `${path}/${name}`)
      }
    }
    writer.leave(path === '' ? ROOT : cached(path))
  }
  write(root, '')
  writer.commit(TREE)
}

/**
 * Walks `now` against the cache, which `before` was saved in, and requires every answer to be right; with `damaged`, nothing
 * may be known from some point on. Returns how many answers there were.
 */
function merge(before: Directory, now: Directory, damaged = false): number {
  using reader = FileCacheReader.open(tmp.path, TREE)
  if (!reader) return damaged ? 0 : expect.unreachable()
  let known = 0
  const walk = (was: Directory | undefined, is: Directory, path: string): void => {
    const kindOf = (entry: unknown): string => (isDirectory(entry as Directory) ? 'directory' : 'entry')
    const gone = was && [...was].some(([name, entry]) => !is.has(name) || kindOf(is.get(name)) !== kindOf(entry))
    let skipped = false
    const onSkipped = (): void => {
      skipped = true
    }
    for (const [name, entry] of sorted(is)) {
      const old = was?.get(name)
      if (isDirectory(entry)) {
        const wasThere = was !== undefined && reader.enter(name, onSkipped)
        if (wasThere) known++
        if (wasThere !== isDirectory(old)) expect(damaged && !wasThere, `${path}/${name}`).toBe(true)
        walk(wasThere ? (old as Directory) : undefined, entry, `${path}/${name}`)
      } else {
        const answer = was && reader.entry(name, onSkipped)
        if (answer) known++
        if (!damaged || answer) expectSame(answer, isDirectory(old) ? undefined : old)
      }
    }
    const answer = was && reader.leave(onSkipped)
    if (answer) known++
    // Who is told that all of a directory was seen must have heard what is gone from it.
    if (!damaged || answer) {
      expectSame(answer, was && (path === '' ? ROOT : cached(path)))
      expect(skipped, path).toBe(gone ?? false)
    }
  }
  walk(before, now, '')
  return known
}

/** `toEqual` is too slow for so many. */
function expectSame(actual: CachedEntry | undefined, wanted: CachedEntry | undefined): void {
  const text = (entry: CachedEntry | undefined): string =>
    entry ? `${entry.signature} ${Buffer.from(entry.node).toString('latin1')}` : 'nothing'
  if (text(actual) !== text(wanted)) expect(text(actual)).toBe(text(wanted))
}

const countOf = (directory: Directory): number =>
  [...directory.values()].reduce((sum, entry) => sum + (isDirectory(entry) ? 1 + countOf(entry) : 1), 1)

const anyDirectory: fc.Arbitrary<Directory> = fc.letrec<{ directory: Directory; entry: Directory | CachedEntry }>(
  (tie) => ({
    directory: fc
      .array(fc.tuple(fc.constantFrom('a', 'a-', 'aa', 'b', '\xff', '~'), tie('entry')), { maxLength: 5 })
      .map((list) => new Map(list)),
    entry: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.nat(3).map((n) => cached(`s${n}`)),
      tie('directory'),
    ),
  }),
).directory

test('answers exactly what was there, for any tree and any later one', () => {
  fc.assert(
    fc.property(anyDirectory, anyDirectory, (before, now) => {
      save(before)
      merge(before, now)
      expect(merge(before, before)).toBe(countOf(before))
    }),
    { numRuns: 300 },
  )
})

/** 10 000 entries in nested directories, with names and nodes of every length. */
function largeTree(): Directory {
  const root: Directory = new Map()
  for (let i = 0; i < 10_000; i++) {
    let directory = root
    for (let rest = i % 1000; rest > 0; rest = Math.floor(rest / 10)) {
      const name = `d${rest % 10}`
      if (!directory.has(name)) directory.set(name, new Map())
      directory = directory.get(name) as Directory
    }
    directory.set(`f${'n'.repeat(i % 240)}${i}`, cached(`signature ${i}`, 'x'.repeat((i * 31) % 700)))
  }
  return root
}

describe('of 10 000 entries', () => {
  const before = largeTree()
  test('all are known again, across blocks', () => {
    save(before)
    expect(merge(before, before)).toBe(countOf(before))
  })
  test('the rest are known when some are gone, new, or something else by now', () => {
    save(before)
    const change = (directory: Directory): Directory => {
      const now: Directory = new Map([['new', cached('new')]])
      for (const [i, [name, entry]] of [...directory].entries()) {
        if (i % 7 === 3) continue
        if (i % 7 === 5) now.set(name, isDirectory(entry) ? cached('now a file') : new Map())
        else now.set(name, isDirectory(entry) ? change(entry) : entry)
      }
      return now
    }
    expect(merge(before, change(before))).toBeGreaterThan(3000)
  })
})

describe('damage ends what is known, and never makes it wrong:', () => {
  const before: Directory = new Map<string, Directory | CachedEntry>([
    ['a', cached('1')],
    [
      'd',
      new Map([
        ['x', cached('2')],
        ['y', cached('3', 'z'.repeat(70_000))],
        ['z', cached('4')],
      ]),
    ],
    ['e', cached('5')],
  ])
  const now: Directory = new Map(before).set(
    'd',
    new Map([
      ['x', cached('2')],
      ['z', cached('4')],
    ]),
  )
  now.delete('e')

  test('a flipped bit anywhere', () => {
    save(before)
    const bytes = readFileSync(cachePath())
    const all = merge(before, now)
    for (let at = 0; at < bytes.length; at += at < 300 || at > 70_000 ? 1 : 997) {
      const damaged = Uint8Array.from(bytes)
      damaged[at]! ^= 1 << (at % 8)
      writeFileSync(cachePath(), damaged)
      expect(merge(before, now, true), `byte ${at}`).toBeLessThan(all)
    }
  })

  test('a file cut off anywhere', () => {
    save(before)
    const bytes = readFileSync(cachePath())
    const all = merge(before, now)
    for (let length = 0; length < bytes.length; length += length < 300 || length > 70_000 ? 1 : 997) {
      writeFileSync(cachePath(), bytes.subarray(0, length))
      expect(merge(before, now, true), `${length} bytes`).toBeLessThan(all)
    }
  })

  test.each([
    ['nothing', ''],
    ['something else', 'SQLite format 3\0'.repeat(100)],
  ])('%s', (_, content) => {
    save(before)
    writeFileSync(cachePath(), content)
    expect(FileCacheReader.open(tmp.path, TREE)).toBeUndefined()
  })
})

test('knows when its backup began; what is not there is nothing', () => {
  expect(FileCacheReader.open(tmp.path, TREE)).toBeUndefined()
  save(new Map(), 1_700_000_000_123)
  using reader = FileCacheReader.open(tmp.path, TREE)
  expect(reader?.startMs).toBe(1_700_000_000_123)
})

describe('files', () => {
  const files = (): string[] => readdirSync(join(tmp.path, 'files'))

  test('nothing is kept of a backup that does not end', () => {
    {
      using writer = new FileCacheWriter(tmp.path, 1)
      writer.entry('a' as ByteString, cached('1'))
      expect(files()).toHaveLength(1)
    }
    expect(files()).toEqual([])
  })

  test('two at once do not disturb each other', () => {
    using one = new FileCacheWriter(tmp.path, 1)
    using two = new FileCacheWriter(tmp.path, 2)
    one.leave(ROOT)
    two.leave(ROOT)
    one.commit(TREE)
    two.commit(parseObjectId('22'.repeat(32)))
    using reader = FileCacheReader.open(tmp.path, TREE)
    expect(reader?.startMs).toBe(1)
  })

  test('pruning spares what is wanted, and what others have made since the run began', () => {
    const now = Date.now()
    const make = (name: string, ageMs: number): void => {
      mkdirSync(join(tmp.path, 'files'), { recursive: true })
      writeFileSync(join(tmp.path, 'files', name), '')
      utimesSync(join(tmp.path, 'files', name), new Date(now - ageMs), new Date(now - ageMs))
    }
    make('wanted', 1e9)
    make('old', 1e9)
    make('of another run', -5)
    make('unfinished-now', 60_000)
    make('unfinished-long-ago', 1e9)
    pruneFileCaches(tmp.path, now, (name) => name === 'wanted')
    expect(files().sort()).toEqual(['of another run', 'unfinished-now', 'wanted'])
  })
})
