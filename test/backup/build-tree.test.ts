import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type BuildOptions, buildTree } from '../../src/backup/build-tree.ts'
import type { PlannedItem } from '../../src/backup/plan-reads.ts'
import { FileReader } from '../../src/backup/read-files.ts'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { type ObjectId, parseObjectId } from '../../src/base/ids.ts'
import type { Node } from '../../src/format/node.ts'
import { createAccounts } from '../../src/native/accounts.ts'
import * as attributes from '../../src/native/extended-attributes.ts'
import { type BackedUp, type BackingUp, backingUp } from '../helpers/backing-up.ts'
import { memoryObjects } from '../helpers/memory-objects.ts'

let at: BackingUp
vi.mock('../../src/native/extended-attributes.ts', { spy: true })

beforeEach(async () => {
  at = await backingUp()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await at[Symbol.asyncDispose]()
})

const path = (name: string): string => join(at.source, name)
const file = (name: string, content = name): void => writeFileSync(path(name), content)
const below = (name: string): ByteString => byteStringOf(path(name))
const remove = (name: string): void => rmSync(path(name), { recursive: true })
/** Longer than a tick of the clock that stamps files: what is older counts as settled. */
const settle = (): Promise<void> => setTimeout(60)
const summaryOf = ({ snapshot: { summary } }: BackedUp): number[] => [
  summary.filesNew,
  summary.filesChanged,
  summary.filesUnmodified,
]

/** Makes the reading of files whose path ends with `name` come out otherwise. */
function outcomeOf(name: string, change: 'torn' | 'failed'): void {
  const assemble = FileReader.prototype.assemble
  vi.spyOn(FileReader.prototype, 'assemble').mockImplementation(async function (this: FileReader, ...args) {
    const outcome = await assemble.apply(this, args)
    if (!args[0].endsWith(name) || outcome.type === 'failed') return outcome
    return change === 'torn'
      ? { ...outcome, file: { ...outcome.file, torn: true } }
      : { type: 'failed', reason: 'bad luck' }
  })
}

test('directories that nothing changed in keep their trees; others are built anew', async () => {
  for (const name of ['a', 'a/deep', 'b']) mkdirSync(path(name))
  for (const name of ['a/deep/x', 'a/y', 'b/z']) file(name)
  await settle()
  const first = await at.run()
  file('b/z', 'changed')
  const second = await at.run()
  const tree = ({ nodes }: BackedUp, name: string): unknown => (nodes.get(name) as Node & { type: 'directory' }).tree
  expect(tree(second, 'a')).toBe(tree(first, 'a'))
  expect(tree(second, 'b')).not.toBe(tree(first, 'b'))
  expect(summaryOf(second)).toEqual([0, 1, 2])
  remove('a/deep/x')
  const third = await at.run()
  expect([...third.nodes.keys()]).toEqual(['a', 'a/deep', 'a/y', 'b', 'b/z'])
  expect((await at.run({ kind: 'full' })).snapshot.tree).toBe(third.snapshot.tree)
})

describe('what a snapshot lacks or holds in part', () => {
  test('a torn file is stored, named, read again next time, and gone when it is gone', async () => {
    file('log')
    file('other')
    await settle()
    outcomeOf('log', 'torn')
    const torn = await at.run()
    expect(torn.nodes.get('log')).toMatchObject({ torn: true })
    expect(torn.failures).toEqual(['log: it changed while it was read, every time'])
    vi.restoreAllMocks()
    const whole = await at.run()
    expect(whole.nodes.get('log')).toMatchObject({ torn: undefined })
    expect(whole.snapshot.summary).toMatchObject({ bytesRead: 3, filesChanged: 1, filesUnmodified: 1 })
    file('log', 'newer')
    outcomeOf('log', 'torn')
    await at.run()
    remove('log')
    const without = await at.run()
    expect([...without.nodes.keys()]).toEqual(['other'])
  })

  test('of a file that can no longer be read, what was known of it does not stay either', async () => {
    mkdirSync(path('d'))
    file('d/bad')
    file('d/good')
    await settle()
    await at.run()
    file('d/bad', 'changed')
    outcomeOf('bad', 'failed')
    const second = await at.run()
    expect(second.failures).toEqual(['d/bad: bad luck'])
    expect([...second.nodes.keys()]).toEqual(['d', 'd/good'])
    expect(second.snapshot).toMatchObject({ failureCount: 1 })
    vi.restoreAllMocks()
    expect((await at.run()).contents).toEqual({ 'd/bad': 'changed', 'd/good': 'd/good' })
  })

  test('nor of one that is a socket now', async () => {
    file('s')
    file('t')
    await settle()
    await at.run()
    remove('s')
    const server = createServer().listen(path('s'))
    await new Promise((resolve) => server.once('listening', resolve))
    try {
      const { nodes, notices, failures } = await at.run()
      expect([...nodes.keys()]).toEqual(['t'])
      expect(notices.join()).toContain(`${path('s')} is a socket and is left out`)
      expect(failures).toEqual([])
      const again = await at.run()
      expect(again.snapshot.summary, 'it costs nothing while it stays').toMatchObject({ bytesAdded: 0 })
    } finally {
      server.close()
    }
  })

  test('a special file that goes after it was looked at is named', async () => {
    symlinkSync('nowhere', path('link'))
    const stats = lstatSync(path('link'), { bigint: true })
    remove('link')
    const name = 'link' as ByteString
    const item = { type: 'entry', path: byteStringOf(path('link')), name, stats, segments: 0, isLink: false } as const
    const failures: string[] = []
    await build([{ ...item, cached: undefined, kept: undefined }, END], {
      onFailure: (_, reason) => failures.push(reason),
    })
    expect(failures).toEqual(['no such file or directory'])
  })
})

const END = { type: 'leave', path: '/' as ByteString, cached: undefined, unmodified: false, shrunk: false } as const

function build(items: readonly PlannedItem[], options: Partial<BuildOptions> = {}): Promise<ObjectId> {
  async function* plan(): AsyncGenerator<readonly PlannedItem[]> {
    for (const item of items) yield [item]
  }
  return buildTree(plan(), {
    maker: { accounts: createAccounts(), save: memoryObjects().save, onError: () => {} },
    reader: undefined as never,
    remember: undefined,
    parentTree: undefined,
    onFile: () => {},
    onDirectory: () => {},
    onFailure: () => {},
    onUnsupported: () => {},
    ...options,
  })
}

test('the root is taken over only if all of it was known, and nothing is gone', async () => {
  const parentTree = parseObjectId('7e'.repeat(32))
  const cached = { signature: '', node: new Uint8Array(0) }
  const empty = await build([END])
  expect(await build([{ ...END, cached }], { parentTree })).toBe(parentTree)
  expect(await build([{ ...END, cached, shrunk: true }], { parentTree })).toBe(empty)
  expect(await build([END], { parentTree }), 'the cache had ended before').toBe(empty)
})

describe('a directory', () => {
  test('that is as it was, with all that is in it, is not looked at again', async () => {
    for (const name of ['d', 'd/deep']) mkdirSync(path(name))
    file('d/deep/x')
    await settle()
    const first = await at.run()
    const looks = vi.mocked(attributes.listAttributes).mockClear()
    const second = await at.run()
    expect(looks).not.toHaveBeenCalled()
    expect(second.snapshot.tree).toBe(first.snapshot.tree)
    chmodSync(path('d/deep'), 0o700)
    const third = await at.run()
    expect(third.nodes.get('d/deep')).toMatchObject({ mode: 0o700 })
    expect(looks.mock.calls.map(([directory]) => directory)).toEqual(['d/deep', 'd', ''].map(below))
  })

  test('whose attributes cannot be read is told of every time, and tried again', async () => {
    mkdirSync(path('d'))
    await settle()
    const looks = vi.mocked(attributes.listAttributes).mockImplementation((directory) => {
      if (directory === below('d')) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
      return []
    })
    for (let i = 0; i < 2; i++)
      expect((await at.run()).failures).toEqual([expect.stringMatching(/^d: extended attributes: /)])
    looks.mockReset() // to what it really does
    expect((await at.run()).failures).toEqual([])
  })
})

describe('behind damage in the file cache', () => {
  const cacheOf = (tree: ObjectId): string => {
    const [repository] = readdirSync(join(at.path, 'cache'))
    return join(at.path, 'cache', repository!, 'files', tree)
  }

  test.each([['cut off between two records'], ['cut off anywhere']])(
    '%s: nothing that is gone comes back',
    async (how) => {
      for (const name of ['a', 'b', 'c']) file(name)
      await settle()
      const first = await at.run()
      remove('c')
      const cache = cacheOf(first.snapshot.tree)
      const bytes = readFileSync(cache)
      const block = bytes.subarray(8)
      const end = how === 'cut off anywhere' ? block.length - 40 : block.indexOf('E\x01\x00c')
      const damaged = Buffer.from(bytes.subarray(0, 8 + end))
      damaged.writeUInt32LE(end, 0)
      damaged.writeUInt32LE(crc32(damaged.subarray(8)), 4)
      writeFileSync(cache, damaged)
      const second = await at.run()
      expect([...second.nodes.keys()]).toEqual(['a', 'b'])
      expect(second.snapshot.tree).toBe((await at.run({ kind: 'full' })).snapshot.tree)
    },
  )
})

describe('hard links', () => {
  const groups = ({ nodes }: BackedUp): Record<string, string | undefined> =>
    Object.fromEntries(
      [...nodes].flatMap(([name, node]) => (node.type === 'directory' ? [] : [[name, node.linkGroup]])),
    )

  test('of files, symbolic links and FIFOs share a token, different from all others', async () => {
    file('f1')
    symlinkSync('x', path('l1'))
    execFileSync('mkfifo', [path('p1')])
    file('single')
    for (const name of ['f', 'l', 'p']) linkSync(path(`${name}1`), path(`${name}2`))
    const found = groups(await at.run())
    expect(found.single).toBeUndefined()
    for (const name of ['f', 'l', 'p']) expect(found[`${name}2`]).toBe(found[`${name}1`])
    expect(new Set([found.f1, found.l1, found.p1]).size).toBe(3)
  })

  test('stay together when a directory moves, and tokens stay unique when others take its place', async () => {
    for (const name of ['d1', 'd2']) mkdirSync(path(name))
    file('d1/a', 'first')
    linkSync(path('d1/a'), path('d2/b'))
    await settle()
    await at.run()
    renameSync(path('d1'), path('d0'))
    mkdirSync(path('d1'))
    file('d1/a', 'second')
    linkSync(path('d1/a'), path('d1/c'))
    await settle()
    const moved = await at.run()
    const found = groups(moved)
    expect(found['d0/a']).toBe(found['d2/b'])
    expect(found['d1/a']).toBe(found['d1/c'])
    expect(found['d1/a']).not.toBe(found['d0/a'])
    expect(moved.contents).toEqual({ 'd0/a': 'first', 'd2/b': 'first', 'd1/a': 'second', 'd1/c': 'second' })
    const again = await at.run()
    expect(again.snapshot.tree, 'and are remembered').toBe(moved.snapshot.tree)
    remove('d0')
    expect(groups(await at.run())['d2/b']).not.toBe(groups(await at.run())['d1/a'])
  })

  test('a token is not used twice, though its first name is gone and taken', async () => {
    for (const name of ['d1', 'd2']) mkdirSync(path(name))
    file('d1/a', 'first')
    linkSync(path('d1/a'), path('d2/b'))
    await settle()
    await at.run()
    renameSync(path('d1'), join(at.path, 'elsewhere'))
    mkdirSync(path('d1'))
    file('d1/a', 'second')
    linkSync(path('d1/a'), path('d1/c'))
    const found = groups(await at.run())
    expect(found['d1/a']).toBe(found['d1/c'])
    expect(found['d2/b']).not.toBe(found['d1/a'])
  })

  test('the second name is stored if the first is left out or cannot be read', async () => {
    file('a', 'content')
    for (const name of ['b', 'c']) linkSync(path('a'), path(name))
    expect((await at.run({ excludes: ['a'] })).contents).toEqual({ b: 'content', c: 'content' })
    outcomeOf('/a', 'failed')
    const { contents, failures, nodes, snapshot } = await at.run({ kind: 'full' })
    expect(failures).toEqual(['a: bad luck'])
    expect(contents).toEqual({ b: 'content', c: 'content' })
    expect(nodes.get('b')?.linkGroup).toBe(nodes.get('c')?.linkGroup)
    expect(snapshot.summary.bytesRead, 'a, which comes to nothing, and b for both').toBe(14)
  })

  test('a name that was left out before joins the others', async () => {
    file('a', 'content')
    linkSync(path('a'), path('b'))
    await settle()
    await at.run({ excludes: ['a'] })
    const found = groups(await at.run())
    expect(found.a).toBe(found.b)
  })

  test('an empty one, a large one', async () => {
    file('e1', '')
    file('g1')
    truncateSync(path('g1'), 2 ** 21)
    for (const name of ['e', 'g']) linkSync(path(`${name}1`), path(`${name}2`))
    const { nodes, snapshot } = await at.run()
    for (const name of ['e', 'g'])
      expect({ ...nodes.get(`${name}2`), name: `${name}1` }).toEqual({ ...nodes.get(`${name}1`) })
    expect(snapshot.summary.bytesRead).toBe(2 ** 21)
  })
})
