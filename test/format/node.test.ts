import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { parseObjectId } from '../../src/base/ids.ts'
import { decodeCbor, encodeCbor } from '../../src/format/cbor.ts'
import {
  attributesFromArray,
  attributesToArray,
  isSafeName,
  type Node,
  nodeFromMap,
  nodeToMap,
} from '../../src/format/node.ts'
import { encodeNode } from '../../src/format/tree.ts'
import { anyNode } from '../helpers/arbitraries.ts'
import { expectRefusal } from '../helpers/refusals.ts'

const FILE = 'tree abc'
const ID = parseObjectId('ab'.repeat(32))
const BASE = { name: byteStringOf('name'), mode: 0o644, uid: 1000, gid: 1000, mtimeNs: 5n }
const NODES = {
  file: { ...BASE, type: 'file', size: 9, content: { height: 1, id: ID } },
  empty: { ...BASE, type: 'file', size: 0 },
  directory: { ...BASE, type: 'directory', tree: ID },
  symlink: { ...BASE, type: 'symlink', target: byteStringOf('../target') },
  fifo: { ...BASE, type: 'fifo' },
  device: { ...BASE, type: 'block-device', major: 8, minor: 1 },
} as const satisfies Record<string, Node>

/** The stored form of a node with one key set to a value, or without it. */
function withKey(node: Node, key: number, value: unknown): unknown {
  const map = nodeToMap(node)
  if (value === undefined) map.delete(key)
  else map.set(key, value)
  return decodeCbor(encodeCbor(map), FILE)
}

const refused = (value: unknown, code: 'BAD_FORMAT' | 'UNSUPPORTED' = 'BAD_FORMAT'): void =>
  void expectRefusal(() => nodeFromMap(value, FILE), code, FILE)

test('decoding is the inverse of encoding', () => {
  fc.assert(
    fc.property(anyNode, (node) => {
      expect(nodeFromMap(decodeCbor(encodeCbor(nodeToMap(node)), FILE), FILE)).toEqual(node)
    }),
    { numRuns: 1000 },
  )
})

test('keys are stored in ascending order, as they are given', () => {
  fc.assert(
    fc.property(anyNode, (node) => {
      const keys = [...nodeToMap(node).keys()]
      expect(keys).toEqual([...keys].sort((a, b) => Number(a) - Number(b)))
      expect(encodeNode(node)).toEqual(encodeCbor(nodeToMap(node)))
    }),
  )
})

test('keys that are unknown are passed over', () => {
  expect(nodeFromMap(withKey(NODES.file, 99, 'future'), FILE)).toEqual(NODES.file)
})

const HOSTILE = ['', '.', '..', '/', 'a/b', '/etc/passwd', '../up', 'a\0b', '\0'] as ByteString[]

test.each(HOSTILE)('the name %j leads somewhere else, and is refused', (name) => {
  expect(isSafeName(name)).toBe(false)
  refused(withKey(NODES.file, 1, Buffer.from(name, 'latin1')))
})

test.each(['...', '.a', 'a..', ' ', '\\', '\xff', 'a\nb', '-rf', '~', '*'] as ByteString[])(
  'the name %j stays where it is',
  (name) => {
    expect(isSafeName(name)).toBe(true)
    const node = { ...NODES.file, name }
    expect(nodeFromMap(withKey(node, 99, 0), FILE)).toEqual(node)
  },
)

describe('refused are', () => {
  test.each<[string, number, unknown[]]>([
    ['names that are text', 1, ['text', 5]],
    ['types', 2, [0, 7, -1, 'file']],
    ['modes', 3, [0o10000, -1, '644', 2n ** 60n]],
    ['times', 4, [2n ** 63n, -(2n ** 63n) - 1n, 'now', null]],
    ['owners', 5, [-1, 2 ** 32, 'root']],
    ['groups', 6, [-1, 2 ** 32, 'wheel']],
    ['names of owners', 7, [5, Buffer.from('x'), null]],
    ['names of groups', 8, [5, Buffer.from('x'), null]],
    ['link groups', 9, ['x', 5, null, Buffer.alloc(7), Buffer.alloc(9), Buffer.alloc(0)]],
    ['attributes', 10, ['x', null, [1], [['a', 'b']], [[Buffer.from('a')]], [[Buffer.alloc(0), Buffer.alloc(1)]]]],
    ['ids of attributes', 11, [Buffer.alloc(31), Buffer.alloc(33), 'x'.repeat(32), null]],
    ['sizes', 12, [-1, 2n ** 53n, 'x', null]],
    ['heights', 13, [-1, 17, 'x', null]],
    ['ids', 14, [Buffer.alloc(31), Buffer.alloc(33), 'x'.repeat(32), null]],
    ['sparse', 16, [false, 1, null]],
    ['torn', 17, [false, 1, null]],
  ])('%s that cannot be', (_, key, values) => {
    for (const value of values) refused(withKey(NODES.file, key, value))
  })

  test.each([1, 2, 3, 5, 6, 12, 13, 14])('a file without key %d', (key) => refused(withKey(NODES.file, key, undefined)))

  test('an empty file with content', () => {
    refused(withKey(NODES.empty, 14, Buffer.alloc(32)))
    refused(withKey(NODES.empty, 13, 0))
  })

  test('attributes both inline and elsewhere, out of order, or twice', () => {
    const [a, b] = ['a', 'b'].map((name) => [Buffer.from(name), Buffer.from('value')])
    const inline: Node = { ...NODES.file, attributes: [{ name: byteStringOf('a'), value: new Uint8Array() }] }
    nodeFromMap(withKey(NODES.file, 10, [a, b]), FILE)
    refused(withKey(inline, 11, Buffer.alloc(32)))
    refused(withKey(NODES.file, 10, [b, a]))
    refused(withKey(NODES.file, 10, [a, a]))
  })

  test('filters, which are not known yet', () => refused(withKey(NODES.file, 15, ['xor']), 'UNSUPPORTED'))

  test('a directory without a tree', () => {
    for (const value of [undefined, Buffer.alloc(31), 'x']) refused(withKey(NODES.directory, 18, value))
  })

  test('a symbolic link that leads nowhere, or beyond a NUL', () => {
    for (const value of [undefined, Buffer.alloc(0), Buffer.from('a\0b'), 'text'])
      refused(withKey(NODES.symlink, 19, value))
  })

  test('a device without its numbers', () => {
    for (const key of [20, 21])
      for (const value of [undefined, -1, 2 ** 32, 'x']) refused(withKey(NODES.device, key, value))
  })

  test('what is no map', () => {
    for (const value of [undefined, null, 1, 'x', [], [NODES.file]]) refused(value)
  })
})

test('a time of any 64 bits is kept to the nanosecond', () => {
  for (const mtimeNs of [0n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const node: Node = { ...NODES.fifo, mtimeNs }
    expect(nodeFromMap(withKey(node, 99, 0), FILE)).toEqual(node)
  }
})

test('attributes of their own are the same array', () => {
  const attributes = [
    { name: byteStringOf('user.a'), value: new Uint8Array([0, 255]) },
    { name: byteStringOf('user.b'), value: new Uint8Array() },
  ]
  const stored = decodeCbor(encodeCbor(attributesToArray(attributes)), FILE)
  expect(attributesFromArray(stored, FILE)).toEqual(attributes)
  for (const value of [null, new Map(), [[1, 2]], [[Buffer.from('a\0'), Buffer.alloc(1)]]])
    expectRefusal(() => attributesFromArray(value, FILE), 'BAD_FORMAT', FILE)
})
