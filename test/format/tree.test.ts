import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ByteString, byteStringOf, fromByteString } from '../../src/base/bytes.ts'
import { idBytes, type ObjectId, parseObjectId } from '../../src/base/ids.ts'
import { encodeCbor } from '../../src/format/cbor.ts'
import type { Node } from '../../src/format/node.ts'
import {
  decodeNode,
  decodeTree,
  encodeInner,
  encodeNode,
  endsInner,
  endsLeaf,
  joinLeaf,
  MAX_TREE_HEIGHT,
  TREE_MAX_ITEMS,
  TREE_MAX_LEAF_BYTES,
  TREE_MIN_ITEMS,
  type TreeChild,
} from '../../src/format/tree.ts'
import { anyName, anyNode, anyObjectId } from '../helpers/arbitraries.ts'
import { expectRefusal, truncations } from '../helpers/refusals.ts'

const FILE = 'tree abc'
const ID = parseObjectId('ab'.repeat(32))

const fifo = (name: string): Node => ({ type: 'fifo', name: name as ByteString, mode: 0o600, uid: 0, gid: 0 })
const child = (name: string, count = 1): TreeChild => ({ firstName: name as ByteString, id: ID, count })
const leaf = (...names: string[]): Uint8Array => joinLeaf(names.map((name) => encodeNode(fifo(name))))
const refused = (bytes: Uint8Array, expectedHeight?: number): void =>
  void expectRefusal(() => decodeTree(bytes, FILE, expectedHeight), 'BAD_FORMAT', FILE)

const byName = <T>(items: readonly T[], nameOf: (item: T) => string): T[] =>
  [...new Map(items.map((item) => [nameOf(item), item])).values()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))

describe('decoding is the inverse of encoding', () => {
  test('for nodes', () => {
    fc.assert(
      fc.property(anyNode, (node) => {
        expect(decodeNode(encodeNode(node), FILE)).toEqual(node)
      }),
    )
  })

  test('for leaves', () => {
    fc.assert(
      fc.property(fc.array(anyNode, { maxLength: 30 }), (any) => {
        const nodes = byName(any, ({ name }) => name)
        expect(decodeTree(joinLeaf(nodes.map(encodeNode)), FILE, 0)).toEqual({ height: 0, nodes })
      }),
    )
  })

  test('for trees above', () => {
    const anyChild = fc.record({ firstName: anyName, id: anyObjectId, count: fc.integer({ min: 1, max: 2 ** 53 - 1 }) })
    fc.assert(
      fc.property(
        fc.array(anyChild, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 8 }),
        (any, height) => {
          const children = byName(any, ({ firstName }) => firstName)
          expect(decodeTree(encodeInner(height, children), FILE, height)).toEqual({ height, children })
        },
      ),
    )
  })
})

test.each([0, 1, 23, 24, 255, 256, 512])('a leaf of %d nodes is joined as if it was encoded as a whole', (count) => {
  const names = Array.from({ length: count }, (_, i) => String.fromCharCode(100 + (i >> 7), 100 + (i & 127)))
  const nodes = decodeTree(leaf(...names), FILE)
  expect('nodes' in nodes && nodes.nodes).toHaveLength(count)
  const head = Buffer.from([0x82, 0x00])
  const items = encodeCbor(new Array(count).fill(0))
  expect(Buffer.from(leaf(...names)).subarray(0, 2 + items.length - count)).toEqual(
    Buffer.concat([head, items.subarray(0, items.length - count)]),
  )
})

describe('refused are', () => {
  test('every truncation', () => {
    for (const bytes of [leaf('a', 'b'), encodeInner(1, [child('a'), child('b')])])
      for (const short of truncations(bytes)) refused(short)
  })

  test('names out of order, or twice', () => {
    refused(leaf('b', 'a'))
    refused(leaf('a', 'a'))
    refused(leaf('\xff', 'a'))
    refused(encodeInner(1, [child('b'), child('a')]))
    refused(encodeInner(1, [child('a'), child('a')]))
    decodeTree(leaf('a', 'a\x01', 'a ', 'aa', '\xc3\xbc'), FILE)
  })

  test('another height than the parent says', () => {
    for (const height of [1, 2, 8]) refused(leaf('a'), height)
    for (const height of [0, 1, 3]) refused(encodeInner(2, [child('a')]), height)
    decodeTree(encodeInner(2, [child('a')]), FILE)
  })

  test('impossible heights', () => {
    decodeTree(encodeInner(MAX_TREE_HEIGHT, [child('a')]), FILE)
    for (const height of [-1, MAX_TREE_HEIGHT + 1, 2 ** 40, '1', null])
      refused(encodeCbor([height, [[Buffer.from('a'), idBytes(ID), 1]]]))
  })

  test('no children, and too many items', () => {
    refused(encodeInner(1, []))
    const names = Array.from({ length: TREE_MAX_ITEMS + 1 }, (_, i) => String(i).padStart(4, '0'))
    decodeTree(leaf(...names.slice(1)), FILE)
    refused(leaf(...names))
    decodeTree(
      encodeInner(
        1,
        names.slice(1).map((name) => child(name)),
      ),
      FILE,
    )
    refused(
      encodeInner(
        1,
        names.map((name) => child(name)),
      ),
    )
  })

  test('children that are none', () => {
    const whole = [Buffer.from('a'), idBytes(ID), 1]
    decodeTree(encodeCbor([1, [whole]]), FILE)
    const patched = (i: number, value: unknown): unknown => whole.with(i, value as never)
    for (const item of [null, [], [1], whole.slice(1), [...whole, 1], patched(0, 'a'), patched(0, Buffer.alloc(0))])
      refused(encodeCbor([1, [item]]))
    for (const item of [patched(0, Buffer.from('..')), patched(0, Buffer.from('a/b')), patched(1, Buffer.alloc(31))])
      refused(encodeCbor([1, [item]]))
    for (const count of [0, -1, 1n << 60n, 'x']) refused(encodeCbor([1, [patched(2, count)]]))
  })

  test('what is no tree', () => {
    for (const value of [null, 0, [], [0], [0, [], 0], [0, 0], new Map(), [0, [null]], [0, [[]]]])
      refused(encodeCbor(value))
  })
})

describe('borders', () => {
  const hash = (name: string): number => createHash('shake256', { outputLength: 32 }).update(name).digest()[31]!

  test('of leaves depend on the name alone, within bounds', () => {
    let ends = 0
    for (let i = 0; i < 2000; i++) {
      const name = byteStringOf(`größe ${i}`)
      expect(endsLeaf(TREE_MIN_ITEMS, 1000, name)).toBe(hash(`größe ${i}`) % 64 === 0)
      if (endsLeaf(TREE_MIN_ITEMS, 1000, name)) ends++
      expect(endsLeaf(TREE_MIN_ITEMS - 1, 1000, name)).toBe(false)
      expect(endsLeaf(TREE_MAX_ITEMS, 1000, name)).toBe(true)
      expect(endsLeaf(1, TREE_MAX_LEAF_BYTES, name)).toBe(true)
    }
    expect(ends).toBeGreaterThan(15)
    expect(ends).toBeLessThan(60)
  })

  test('of trees above depend on ids', () => {
    const id = (last: number): ObjectId => parseObjectId('ab'.repeat(31) + Buffer.from([last]).toString('hex'))
    for (let last = 0; last < 256; last++) {
      expect(endsInner(TREE_MIN_ITEMS, id(last))).toBe(last % 64 === 0)
      expect(endsInner(TREE_MIN_ITEMS - 1, id(last))).toBe(false)
      expect(endsInner(TREE_MAX_ITEMS, id(last))).toBe(true)
    }
  })

  test('leave no tree longer than an object may be', () => {
    const longest: Node = {
      ...fifo('n'.repeat(255)),
      type: 'symlink',
      target: 't'.repeat(4095) as ByteString,
      user: 'u'.repeat(100),
      attributes: [{ name: 'x'.repeat(255) as ByteString, value: new Uint8Array(769) }],
    }
    expect(TREE_MAX_LEAF_BYTES + encodeNode(longest).length).toBeLessThan(2 ** 20)
    expect(fromByteString(longest.name)).toHaveLength(255)
  })
})
