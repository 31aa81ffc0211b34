import { linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isBelow, normalisePaths, type SourceEvent, type WalkOptions, walkSource } from '../../src/backup/walk.ts'
import { type ByteString, byteStringOf, fromByteString } from '../../src/base/bytes.ts'
import { errnoOf } from '../../src/base/errors.ts'
import { compilePatterns } from '../../src/repository/path-patterns.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'
import { asNobody } from '../helpers/unprivileged.ts'

let tmp: TemporaryDirectory
beforeEach(async () => {
  tmp = await temporaryDirectory()
})
afterEach(() => tmp[Symbol.asyncDispose]())

const at = (name: string): ByteString => byteStringOf(join(tmp.path, name))
const file = (name: string): void => writeFileSync(join(tmp.path, name), name)
const directory = (...names: string[]): void => {
  for (const name of names) mkdirSync(join(tmp.path, name))
}

interface Heard {
  readonly events: SourceEvent[]
  readonly errors: string[]
  readonly leftOut: ByteString[]
}

function walk(paths: readonly ByteString[], options: Partial<WalkOptions> = {}): Heard {
  const errors: string[] = []
  const leftOut: ByteString[] = []
  const events = [
    ...walkSource({
      paths: normalisePaths(paths),
      excludes: compilePatterns([]),
      excludeIfPresent: [],
      oneFileSystem: false,
      leaveOut: [],
      onLeftOut: (path) => leftOut.push(path),
      onError: (path, error) => errors.push(`${path} ${errnoOf(error)}`),
      ...options,
    }),
  ]
  return { events, errors, leftOut }
}

/** What was come by below the temporary directory: entries as they are, `name/` for entering and `/name` for leaving. */
function outline({ events }: Heard): string[] {
  const short = ({ path }: SourceEvent): string => path.slice(tmp.path.length + 1)
  return events
    .filter(({ path }) => path.startsWith(`${tmp.path}/`))
    .map((event) =>
      event.type === 'enter' ? `${short(event)}/` : event.type === 'leave' ? `/${short(event)}` : short(event),
    )
}

test('goes depth first, in bytewise order, and tells what it is below', () => {
  directory('s', 's/b', 's/B', 's/b.d', 's/empty')
  for (const name of ['s/b/2', 's/b/1', 's/B/x', 's/a', 's/b-', 's/\u00e9', 's/~']) file(name)
  writeFileSync(Buffer.concat([Buffer.from(`${tmp.path}/s/`), Buffer.of(0xff)]), '')
  writeFileSync(Buffer.concat([Buffer.from(`${tmp.path}/s/`), Buffer.of(0x80)]), '')
  const heard = walk([at('s')])
  expect(outline(heard)).toEqual(
    [
      's/',
      's/B/',
      's/B/x',
      '/s/B',
      's/a',
      's/b/',
      's/b/1',
      's/b/2',
      '/s/b',
      's/b-',
      's/b.d/',
      '/s/b.d',
      's/empty/',
      '/s/empty',
    ].concat(['s/~', 's/\x80', 's/\u00c3\u00a9', 's/\xff', '/s']),
  )
  const ancestors = heard.events.filter((event) => event.type === 'enter' && event.isAncestor)
  const names = tmp.path.split('/').slice(1)
  expect(ancestors.map(({ path }) => path)).toEqual(names.map((_, i) => `/${names.slice(0, i + 1).join('/')}`))
})

test('events nest, names match their paths, stats are those of the entry itself', () => {
  directory('s', 's/d', 's/d/e')
  file('s/d/e/f')
  symlinkSync('/nowhere', join(tmp.path, 's/link'))
  const open: string[] = []
  for (const event of walk([at('s')]).events) {
    if (event.type === 'leave') {
      expect(open.pop()).toBe(event.path)
      continue
    }
    expect(event.path).toBe(`${open.at(-1) ?? ''}/${event.name}`)
    if (event.type === 'enter') open.push(event.path)
    expect(event.stats.ino).toBe(lstatSync(fromByteString(event.path), { bigint: true }).ino)
  }
  expect(open).toEqual([])
})

test('several sources: each once, ancestors shared', () => {
  directory('a', 'a/in', 'b', 'ab')
  for (const name of ['a/1', 'a/in/2', 'b/3', 'b/4', 'ab/5']) file(name)
  const heard = walk([at('b/3'), at('a'), at('a/in'), at('a'), at('a//in/'), at('ab/5')])
  expect(outline(heard)).toEqual([
    'a/',
    'a/1',
    'a/in/',
    'a/in/2',
    '/a/in',
    '/a',
    'ab/',
    'ab/5',
    '/ab',
    'b/',
    'b/3',
    '/b',
  ])
  const isAncestor = heard.events.flatMap((event) => (event.type === 'enter' ? [event.isAncestor] : []))
  expect(isAncestor.slice(-4)).toEqual([false, false, true, true])
})

test('`/` has no name: its entries come at once', () => {
  const events = walkSource({
    paths: ['/' as ByteString],
    excludes: compilePatterns(['/*/*']),
    excludeIfPresent: [],
    oneFileSystem: true,
    leaveOut: [],
    onLeftOut: () => {},
    onError: () => {},
  })
  const names = [...events].flatMap((event) => (event.type === 'leave' ? [] : [event.path]))
  expect(names).toEqual(
    readdirSync('/')
      .sort()
      .map((name) => `/${name}`),
  )
})

test('an ancestor may be a link: it is entered as the directory it is', () => {
  directory('real', 'real/s')
  file('real/s/f')
  symlinkSync('real', join(tmp.path, 'link'))
  const heard = walk([at('link/s')])
  expect(outline(heard)).toEqual(['link/', 'link/s/', 'link/s/f', '/link/s', '/link'])
  const link = heard.events.find(({ path }) => path === at('link'))
  expect(link?.type === 'enter' && link.stats.isDirectory()).toBe(true)
})

describe('leaves out', () => {
  test('what patterns exclude, but never a source itself', () => {
    directory('s', 's/x', 's/y')
    for (const name of ['s/x/1', 's/y/2', 's/z.log', 's/y/3.log']) file(name)
    const excludes = compilePatterns(['x/', '*.log', tmp.path])
    expect(outline(walk([at('s/x')], { excludes: compilePatterns(['x']) }))).toEqual(['s/', 's/x/', '/s/x', '/s'])
    expect(outline(walk([at('s')], { excludes: compilePatterns(['x/', '*.log']) }))).toEqual([
      's/',
      's/y/',
      's/y/2',
      '/s/y',
      '/s',
    ])
    expect(outline(walk([at('s')], { excludes }))).toEqual(['s/', '/s'])
  })

  test('all but the marker of a marked directory', () => {
    directory('s', 's/cache', 's/cache/deep', 's/other')
    for (const name of ['s/cache/TAG', 's/cache/SECOND', 's/cache/x', 's/other/x']) file(name)
    expect(outline(walk([at('s')], { excludeIfPresent: ['SECOND', 'TAG'] as ByteString[] }))).toEqual([
      's/',
      's/cache/',
      's/cache/SECOND',
      '/s/cache',
      's/other/',
      's/other/x',
      '/s/other',
      '/s',
    ])
  })

  test('the marker, too, if a pattern fits it', () => {
    directory('s')
    for (const name of ['s/TAG', 's/x']) file(name)
    const options = { excludeIfPresent: ['TAG' as ByteString], excludes: compilePatterns(['TAG']) }
    expect(outline(walk([at('s')], options))).toEqual(['s/', '/s'])
  })

  test('directories by what they are, not by their path', () => {
    directory('s', 's/repository', 's/d')
    file('s/repository/x')
    symlinkSync('s', join(tmp.path, 'link'))
    for (const path of ['s/repository', 'link/repository']) {
      const heard = walk([at('s')], { leaveOut: [at(path), at('not there')] })
      expect(outline(heard)).toEqual(['s/', 's/d/', '/s/d', '/s'])
      expect(heard.leftOut).toEqual([at('s/repository')])
    }
  })

  test('nothing for a path that leads nowhere', () => {
    directory('s')
    for (const name of ['s/f', 's/g']) file(name)
    symlinkSync('loop', join(tmp.path, 'loop'))
    const leaveOut = [at('s/f/below/a/file'), at('loop/x'), at('gone'), at(`s/${'long'.repeat(100)}`)]
    expect(outline(walk([at('s')], { leaveOut }))).toEqual(['s/', 's/f', 's/g', '/s'])
  })

  test('what lies on other file systems, whose mount points stay', (context) => {
    const other = lstatSync('/dev/shm', { throwIfNoEntry: false })
    if (!other?.isDirectory() || other.dev === lstatSync('/dev').dev) return context.skip()
    const mounted = mkdtempSync('/dev/shm/chainkeep-test-')
    try {
      const paths = ['/dev' as ByteString]
      const found = (oneFileSystem: boolean): string[] => walk(paths, { oneFileSystem }).events.map(({ path }) => path)
      expect(found(false)).toContain(mounted)
      expect(found(true)).not.toContain(mounted)
      expect(found(true)).toContain('/dev/shm')
      const itself = walk(['/dev/shm' as ByteString], { oneFileSystem: true }).events.map(({ path }) => path)
      expect(itself, 'a mount point that is asked for itself').toContain(mounted)
    } finally {
      rmSync(mounted, { recursive: true })
    }
  })
})

describe('what cannot be looked at is named, and the rest is walked:', () => {
  test('a source that is gone', () => {
    directory('s')
    expect(walk([at('s'), at('gone'), at('no/such')])).toMatchObject({
      errors: [`${at('gone')} ENOENT`, `${at('no')} ENOENT`],
    })
  })

  test('a directory that may not be read, and one that may not be searched', () => {
    directory('s', 's/a', 's/b', 's/c')
    for (const name of ['s/a/x', 's/b/y', 's/c/z']) file(name)
    const heard = asNobody(tmp.path, { 's/a': 0o300, 's/b': 0o400 }, () => walk([at('s')]))
    expect(heard.errors).toEqual([`${at('s/a')} EACCES`, `${at('s/b/y')} EACCES`])
    expect(outline(heard)).toEqual(['s/', 's/a/', '/s/a', 's/b/', '/s/b', 's/c/', 's/c/z', '/s/c', '/s'])
  })

  test('an entry that goes after its directory was read', () => {
    directory('s')
    for (const name of ['s/a', 's/b', 's/c']) file(name)
    const names: string[] = []
    const excludes = compilePatterns([])
    const options = { excludes, excludeIfPresent: [], oneFileSystem: false, leaveOut: [], onLeftOut: () => {} }
    const errors: string[] = []
    const onError = (path: ByteString, error: unknown): number => errors.push(`${path} ${errnoOf(error)}`)
    for (const { type, path } of walkSource({ ...options, paths: [at('s')], onError })) {
      if (path === at('s/a')) rmSync(join(tmp.path, 's/b'))
      if (type === 'entry') names.push(path)
    }
    expect(names).toEqual([at('s/a'), at('s/c')])
    expect(errors).toEqual([`${at('s/b')} ENOENT`])
  })
})

test('paths in normal form: no doubles, none below another, sorted', () => {
  const name = fc.constantFrom('a', 'b', 'a b', 'ab', '\xff')
  const path = fc.array(name, { maxLength: 4 }).map((names) => `/${names.join('/')}` as ByteString)
  fc.assert(
    fc.property(fc.array(path, { minLength: 1, maxLength: 8 }), (paths) => {
      const normal = normalisePaths(paths.map((each) => each.replace(/(?<=.)\//g, '//') as ByteString))
      expect(normal).toEqual([...new Set(normal)].sort())
      for (const each of paths) expect(normal.filter((other) => isBelow(each, other))).toHaveLength(1)
      for (const each of normal) expect(paths).toContain(each)
    }),
  )
})

test('hard links are entries like any other', () => {
  directory('s')
  file('s/a')
  linkSync(join(tmp.path, 's/a'), join(tmp.path, 's/b'))
  expect(outline(walk([at('s')]))).toEqual(['s/', 's/a', 's/b', '/s'])
})
