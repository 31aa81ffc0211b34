import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { type ObjectId, objectIdAt, parseObjectId } from '../../src/base/ids.ts'
import { encodeCbor } from '../../src/format/cbor.ts'
import { attributesToArray, type Node } from '../../src/format/node.ts'
import { decodeTree, encodeInner, encodeNode, joinLeaf } from '../../src/format/tree.ts'
import { findInTree, findNode, loadAttributes, TreeBuilder, walkTree } from '../../src/repository/trees.ts'
import { anyName } from '../helpers/arbitraries.ts'
import { type ObjectStore, objectStore } from '../helpers/object-store.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const fifo = (name: string, mode = 0o600): Node => ({ type: 'fifo', name: name as ByteString, mode, uid: 0, gid: 0 })
const directory = (name: string, tree: ObjectId): Node => ({ ...fifo(name, 0o700), type: 'directory', tree })

/** Names as a node's data directory has them. */
const blockNames = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `blk${String(i).padStart(6, '0')}.dat`)

async function build(store: ObjectStore, nodes: readonly Node[]): Promise<ObjectId> {
  const builder = new TreeBuilder(store.save)
  for (const node of nodes) await builder.add(node.name, encodeNode(node))
  return builder.finish()
}

const buildNames = (store: ObjectStore, names: readonly string[]): Promise<ObjectId> =>
  build(
    store,
    names.map((name) => fifo(name)),
  )

async function walk(store: ObjectStore, id: ObjectId): Promise<Node[]> {
  const nodes: Node[] = []
  for await (const node of walkTree(store.load, id)) nodes.push(node)
  return nodes
}

const namesIn = async (store: ObjectStore, id: ObjectId): Promise<string[]> =>
  (await walk(store, id)).map(({ name }) => name)

describe('a directory', () => {
  test('that is empty is one empty tree', async () => {
    const store = objectStore()
    const id = await buildNames(store, [])
    expect(Buffer.from(store.objects.get(`tree ${id}`)!).toString('hex')).toBe('820080')
    expect(await walk(store, id)).toEqual([])
    expect(await findInTree(store.load, id, byteStringOf('a'))).toBeUndefined()
  })

  test.each([1, 15, 16, 511, 512, 513, 100_000])(
    'of %d names is walked as it was built, and all found',
    async (count) => {
      const store = objectStore()
      const names = blockNames(count)
      const id = await buildNames(store, names)
      expect(await namesIn(store, id)).toEqual(names)
      const root = decodeTree(store.objects.get(`tree ${id}`)!, 'root')
      for (const i of [0, 1, count >> 1, count - 1]) {
        const name = names[i] ?? names[0]!
        const before = store.loads
        expect((await findInTree(store.load, id, name as ByteString))?.name).toBe(name)
        expect(store.loads - before).toBe(root.height + 1)
      }
      for (const name of ['', 'a', 'blk', 'blk000000.dat0', 'z'])
        expect(await findInTree(store.load, id, name as ByteString)).toBeUndefined()
      if (count === 100_000) expect(root.height).toBe(2)
    },
  )

  test('of 512 names that end no leaf is full', async () => {
    const store = objectStore()
    const names = Array.from({ length: 50_000 }, (_, i) => `n${String(i).padStart(5, '0')}`)
    await buildNames(store, names)
    const counts = [...store.objects.values()].flatMap((plain) => {
      const tree = decodeTree(plain, 'tree')
      return 'nodes' in tree ? [tree.nodes.length] : []
    })
    expect(Math.max(...counts)).toBeLessThanOrEqual(512)
    expect(counts.reduce((sum, count) => sum + count) / counts.length).toBeGreaterThan(64)
    expect(counts.reduce((sum, count) => sum + count) / counts.length).toBeLessThan(96)
  })

  test('of any names is the same each time, and its names are found as they were given', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(anyName, { maxLength: 60 }), async (any) => {
        const store = objectStore()
        const names = [...any].sort((a, b) => (a < b ? -1 : 1))
        const id = await buildNames(store, names)
        expect(await buildNames(objectStore(), names)).toBe(id)
        expect(await namesIn(store, id)).toEqual(names)
        for (const name of names) expect(await findInTree(store.load, id, name)).toEqual(fifo(name))
      }),
    )
  })

  test('of large nodes has leaves of 256 KiB', async () => {
    const store = objectStore()
    const nodes = blockNames(300).map((name, i): Node => {
      const value = seededBytes(i, 1000)
      return { ...fifo(name), attributes: [{ name: byteStringOf('user.x'), value }] }
    })
    expect((await walk(store, await build(store, nodes))).length).toBe(300)
    const lengths = [...store.objects.values()].map((plain) => plain.length)
    expect(Math.max(...lengths)).toBeLessThan(256 * 1024 + 2000)
  })

  test('must be given in order', async () => {
    for (const [first, second] of [
      ['b', 'a'],
      ['a', 'a'],
      ['\xff', 'z'],
    ] as const)
      await expect(buildNames(objectStore(), [first, second])).rejects.toThrow(RangeError)
  })
})

describe('a change of one file rewrites one tree of each height', () => {
  const NAMES = blockNames(10_000)

  test.each([0, 4999, 9999])('number %d', async (changed) => {
    const store = objectStore()
    const id = await buildNames(store, NAMES)
    const { height } = decodeTree(store.objects.get(`tree ${id}`)!, 'root')
    const before = store.objects.size
    await build(
      store,
      NAMES.map((name, i) => fifo(name, i === changed ? 0o644 : 0o600)),
    )
    expect(store.objects.size - before).toBeLessThanOrEqual(height + 2) // ids above change, so a border there may move
  })

  test('and so does a new one', async () => {
    const store = objectStore()
    await buildNames(store, NAMES)
    const before = store.objects.size
    await buildNames(store, NAMES.toSpliced(777, 0, `${NAMES[776]}.tmp`))
    expect(store.objects.size - before).toBeLessThanOrEqual(5)
  })
})

describe('walking', () => {
  test('tells of every tree before what is below it, and skips what it is told to', async () => {
    const store = objectStore()
    const id = await buildNames(store, blockNames(3000))
    const heard: ObjectId[] = []
    for await (const _ of walkTree(store.load, id, (tree) => heard.push(tree) > 0));
    expect(heard[0]).toBe(id)
    expect(heard).toHaveLength(store.objects.size)

    const left = heard[1]!
    const names: string[] = []
    for await (const node of walkTree(store.load, id, async (tree) => tree !== left)) names.push(node.name)
    expect(names).toEqual(blockNames(3000).slice(-names.length))
    expect(names.length).toBeLessThan(3000)
  })

  const leafOf = (store: ObjectStore, ...names: string[]): Promise<ObjectId> =>
    store.save('tree', joinLeaf(names.map((name) => encodeNode(fifo(name)))))
  const inner = (store: ObjectStore, height: number, ...children: [string, ObjectId, number][]): Promise<ObjectId> =>
    store.save(
      'tree',
      encodeInner(
        height,
        children.map(([firstName, id, count]) => ({ firstName: firstName as ByteString, id, count })),
      ),
    )

  test.each<[string, (store: ObjectStore) => Promise<ObjectId>]>([
    ['another first name', async (store) => inner(store, 1, ['a', await leafOf(store, 'b'), 1])],
    ['another number of nodes', async (store) => inner(store, 1, ['a', await leafOf(store, 'a'), 2])],
    ['no nodes', async (store) => inner(store, 1, ['a', await leafOf(store), 1])],
    [
      'names that reach into its neighbour',
      async (store) => inner(store, 1, ['a', await leafOf(store, 'a', 'z'), 2], ['b', await leafOf(store, 'b'), 1]),
    ],
    [
      'a name that its neighbour has',
      async (store) => inner(store, 1, ['a', await leafOf(store, 'a', 'b'), 2], ['b', await leafOf(store, 'b'), 1]),
    ],
  ])('refuses a tree with %s', async (_, make) => {
    const store = objectStore()
    await expect(walk(store, await make(store))).rejects.toMatchObject({ code: 'CORRUPT' })
  })

  test('refuses a tree that is not one lower than its parent', async () => {
    const store = objectStore()
    const id = await inner(store, 2, ['a', await leafOf(store, 'a'), 1])
    await expect(walk(store, id)).rejects.toMatchObject({ code: 'BAD_FORMAT' })
    await expect(findInTree(store.load, id, 'a' as ByteString)).rejects.toMatchObject({ code: 'BAD_FORMAT' })
  })

  test('passes on that a tree is missing', async () => {
    const missing = objectIdAt(seededBytes('missing', 32))
    await expect(walk(objectStore(), missing)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

test('findNode follows a path through directories, and nothing else', async () => {
  const store = objectStore()
  const inside = await buildNames(store, ['blocks', 'wallet.dat'])
  const link: Node = { ...fifo('link'), type: 'symlink', target: byteStringOf('node') }
  const srv = await build(store, [link, directory('node', inside)])
  const root = await build(store, [directory('srv', srv)])
  const find = (path: string): Promise<Node | undefined> => findNode(store.load, root, path as ByteString)

  expect((await find('/srv'))?.type).toBe('directory')
  expect((await find('/srv/node/wallet.dat'))?.name).toBe('wallet.dat')
  expect((await find('//srv//node/'))?.name).toBe('node')
  expect((await find('/srv/link'))?.type).toBe('symlink')
  for (const path of ['/', '/none', '/srv/none/x', '/srv/link/wallet.dat', '/srv/node/blocks/x', '/srv/../srv'])
    expect(await find(path)).toBeUndefined()
})

test('attributes are found wherever they are', async () => {
  const store = objectStore()
  const attributes = [{ name: byteStringOf('user.a'), value: new Uint8Array([1]) }]
  const id = await store.save('attributes', encodeCbor(attributesToArray(attributes)))
  expect(await loadAttributes(store.load, fifo('a'))).toEqual([])
  expect(await loadAttributes(store.load, { ...fifo('a'), attributes })).toEqual(attributes)
  expect(await loadAttributes(store.load, { ...fifo('a'), attributes: id })).toEqual(attributes)
  const missing = parseObjectId('00'.repeat(32))
  await expect(loadAttributes(store.load, { ...fifo('a'), attributes: missing })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
})
