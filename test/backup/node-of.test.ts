import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { directoryNode, fileNode, type NodeMaker, specialNode } from '../../src/backup/node-of.ts'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { errnoOf } from '../../src/base/errors.ts'
import { parseObjectId } from '../../src/base/ids.ts'
import type { Node } from '../../src/format/node.ts'
import { decodeNode, encodeNode } from '../../src/format/tree.ts'
import { loadAttributes } from '../../src/repository/trees.ts'
import { memoryObjects } from '../helpers/memory-objects.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let objects: ReturnType<typeof memoryObjects>
let errors: string[]
let maker: NodeMaker
beforeEach(async () => {
  tmp = await temporaryDirectory()
  objects = memoryObjects()
  errors = []
  maker = {
    accounts: {
      userName: (uid) => (uid === 1 ? 'one' : undefined),
      groupName: (gid) => (gid === 2 ? 'two' : undefined),
      userId: () => undefined,
      groupId: () => undefined,
    },
    save: objects.save,
    onError: (path, error) => errors.push(`${path.slice(tmp.path.length + 1)} ${errnoOf(error)}`),
  }
})
afterEach(() => tmp[Symbol.asyncDispose]())

const NAME = 'n' as ByteString
const TREE = parseObjectId('ab'.repeat(32))
const at = (name: string): string => join(tmp.path, name)
const bytes = (name: string): ByteString => byteStringOf(at(name))
const statsOf = (name: string): ReturnType<typeof lstat> => lstat(at(name))
const lstat = (path: string) => lstatSync(path, { bigint: true })
const recoded = (node: Node): Node => decodeNode(encodeNode(node), 'test')
const defined = (node: Node): object =>
  JSON.parse(JSON.stringify(node, (_, value) => (typeof value === 'bigint' ? `${value}` : value)))

test('a file: mode, owner by number and name, time to the nanosecond', async () => {
  writeFileSync(at('f'), 'x', { mode: 0o640 })
  execFileSync('touch', ['-d', '2001-02-03 04:05:06.123456789Z', at('f')])
  const stats = Object.assign(statsOf('f'), { uid: 1n, gid: 2n, mode: 0o107640n })
  const node = recoded(await fileNode(maker, bytes('f'), NAME, stats, { size: 0 }, '0123456789abcdef'))
  expect(defined(node)).toEqual({
    type: 'file',
    name: 'n',
    mode: 0o7640,
    uid: 1,
    gid: 2,
    user: 'one',
    group: 'two',
    mtimeNs: '981173106123456789',
    size: 0,
    linkGroup: '0123456789abcdef',
  })
})

test('times before 1970, owners without names, large numbers', async () => {
  writeFileSync(at('f'), '')
  const stats = Object.assign(statsOf('f'), { uid: 4_294_967_294n, gid: 3n, mtimeNs: -1n })
  const node = recoded(await fileNode(maker, bytes('f'), NAME, stats, { size: 0 }))
  expect(node).toMatchObject({ uid: 4_294_967_294, user: undefined, group: undefined, mtimeNs: -1n })
})

test('holes make a file sparse', async () => {
  writeFileSync(at('holes'), '')
  truncateSync(at('holes'), 10_000_000)
  writeFileSync(at('full'), Buffer.alloc(100_000, 1))
  writeFileSync(at('empty'), '')
  const sparse = async (name: string): Promise<unknown> =>
    ((await fileNode(maker, bytes(name), NAME, statsOf(name), { size: 0 })) as { sparse?: boolean }).sparse
  expect(await sparse('holes')).toBe(true)
  expect(await sparse('empty')).toBeUndefined()
  const full = Object.assign(statsOf('full'), { blocks: 200n, size: 100_000n })
  expect(await fileNode(maker, bytes('full'), NAME, full, { size: 0 })).toMatchObject({ sparse: undefined })
})

test('directories; above the sources with less', async () => {
  mkdirSync(at('d'), { mode: 0o750 })
  const stats = statsOf('d')
  expect(recoded(await directoryNode(maker, bytes('d'), NAME, stats, TREE, false))).toMatchObject({
    type: 'directory',
    mode: 0o750,
    tree: TREE,
    mtimeNs: stats.mtimeNs,
  })
  const ancestor = recoded(await directoryNode(maker, bytes('d'), NAME, stats, TREE, true))
  expect(Object.keys(defined(ancestor)).sort()).toEqual(['gid', 'mode', 'name', 'tree', 'type', 'uid'])
})

describe('special files', () => {
  const special = async (name: string, stats = statsOf(name)): Promise<Node | undefined> => {
    const node = await specialNode(maker, bytes(name), NAME, stats)
    return node && recoded(node)
  }

  test('links with any target', async () => {
    symlinkSync(Buffer.from([0x2f, 0xff, 0x0a, 0x2e, 0x2e]), at('l'))
    expect(await special('l')).toMatchObject({ type: 'symlink', target: '/\xff\n..' })
    symlinkSync('t'.repeat(4095), at('long'))
    expect(await special('long')).toMatchObject({ target: 't'.repeat(4095) })
  })

  test('FIFOs', async () => {
    execFileSync('mkfifo', [at('p')])
    expect(await special('p')).toMatchObject({ type: 'fifo' })
  })

  test('devices', async () => {
    expect(recoded((await specialNode(maker, '/dev/null' as ByteString, NAME, lstat('/dev/null')))!)).toMatchObject({
      type: 'char-device',
      major: 1,
      minor: 3,
    })
    const block = Object.assign(lstat('/dev/null'), { mode: 0o060660n, rdev: 0x800n + 17n })
    expect(await specialNode(maker, '/dev/null' as ByteString, NAME, block)).toMatchObject({
      type: 'block-device',
      major: 8,
      minor: 17,
    })
  })

  test('sockets cannot be stored', async () => {
    writeFileSync(at('s'), '')
    expect(await special('s', Object.assign(statsOf('s'), { mode: 0o140600n }))).toBeUndefined()
  })

  test('a link that is gone, or no link any more, throws what node:fs does', async () => {
    symlinkSync('x', at('l'))
    const stats = statsOf('l')
    rmSync(at('l'))
    await expect(special('l', stats)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'readlink' })
    writeFileSync(at('l'), '')
    await expect(special('l', stats)).rejects.toMatchObject({ code: 'EINVAL' })
  })
})

describe('extended attributes', () => {
  const set = (name: string, value: string): boolean => {
    try {
      execFileSync('setfattr', ['-n', name, '-v', value, at('f')], { stdio: 'ignore' })
      return true
    } catch {
      return false // no such tool, or no such file system
    }
  }
  const node = async (): Promise<Node> => fileNode(maker, bytes('f'), NAME, statsOf('f'), { size: 0 })
  beforeEach(() => writeFileSync(at('f'), ''))

  test('none, few inline, many as an object of their own', async (context) => {
    expect(await node()).toMatchObject({ attributes: undefined })
    if (!set('user.b', 'two')) return context.skip()
    set('user.a', 'one')
    const few = [
      { name: 'user.a', value: Buffer.from('one') },
      { name: 'user.b', value: Buffer.from('two') },
    ]
    const plain = async (found: Node): Promise<object[]> =>
      (await loadAttributes(objects.load, found)).map(({ name, value }) => ({ name, value: Buffer.from(value) }))
    expect((await node()).attributes).toHaveLength(2)
    expect(await plain(recoded(await node()))).toEqual(few)
    set('user.c', 'c'.repeat(1010))
    const large = await node()
    expect(large.attributes).toMatch(/^[0-9a-f]{64}$/)
    expect(await plain(recoded(large))).toEqual([...few, { name: 'user.c', value: Buffer.from('c'.repeat(1010)) }])
    expect((await node()).attributes).toBe(large.attributes)
  })

  test('what cannot be listed is told, and the rest of the entry kept', async () => {
    const stats = statsOf('f')
    rmSync(at('f'))
    const kept = await fileNode(maker, bytes('f'), NAME, stats, { size: 0 })
    expect(kept).toMatchObject({ type: 'file', attributes: undefined })
    expect(errors).toEqual(process.platform === 'linux' ? ['f ENOENT'] : [])
  })
})
