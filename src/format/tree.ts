import { type ByteString, fromByteString, toByteString } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import { ID_BYTES, idBytes, type ObjectId, objectIdAt } from '../base/ids.ts'
import { shake256 } from '../native/hash.ts'
import { decodeCbor, encodeCbor, encodeOrderedCbor } from './cbor.ts'
import { isSafeName, type Node, nodeFromMap, nodeToMap } from './node.ts'

/**
 * Trees: the listing of a directory (FORMAT.md §7): the CBOR array [height, items]. At height 0 the items are nodes,
 * above they are [first name, id, number of nodes below]; either way sorted bytewise by name, without duplicates.
 */
export type Tree =
  | { readonly height: 0; readonly nodes: readonly Node[] }
  | { readonly height: number; readonly children: readonly TreeChild[] }

export interface TreeChild {
  readonly firstName: ByteString
  readonly id: ObjectId
  readonly count: number
}

export const TREE_MIN_ITEMS = 16
export const TREE_MAX_ITEMS = 512
/** 16 to the 8th nodes: more than any directory holds. */
export const MAX_TREE_HEIGHT = 8
/** A leaf also ends once its encoded nodes are longer. */
export const TREE_MAX_LEAF_BYTES: number = 256 * 1024

/** Whether a leaf of `count` nodes in `bytes` bytes ends after the node called `name`: depends on names, so that a changed file moves no border. */
export function endsLeaf(count: number, bytes: number, name: ByteString): boolean {
  if (count >= TREE_MAX_ITEMS || bytes >= TREE_MAX_LEAF_BYTES) return true
  return count >= TREE_MIN_ITEMS && (shake256(fromByteString(name))[31]! & 63) === 0
}

/** Whether an inner tree of `count` children ends after the one with this id. */
export function endsInner(count: number, id: ObjectId): boolean {
  return count >= TREE_MAX_ITEMS || (count >= TREE_MIN_ITEMS && (Number.parseInt(id.slice(-2), 16) & 63) === 0)
}

/** The bytes of one node, to be joined by `joinLeaf`; kept apart so that unchanged ones need not be encoded again. */
export const encodeNode = (node: Node): Uint8Array => encodeOrderedCbor(nodeToMap(node))

/** Inverse of `encodeNode`. */
export const decodeNode = (bytes: Uint8Array, file: string): Node => nodeFromMap(decodeCbor(bytes, file), file)

/** A tree of height 0 from nodes as `encodeNode` wrote them. */
export function joinLeaf(nodes: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([new Uint8Array([0x82, 0x00]), arrayHead(nodes.length), ...nodes])
}

/** A tree above others. */
export function encodeInner(height: number, children: readonly TreeChild[]): Uint8Array {
  return encodeCbor([
    height,
    children.map((child) => [fromByteString(child.firstName), idBytes(child.id), child.count]),
  ])
}

/** Strict inverse of both. `expectedHeight` (one less than the parent's) is required where it is known, so that no chain can loop. */
export function decodeTree(bytes: Uint8Array, file: string, expectedHeight?: number): Tree {
  const fail = (reason: string): never => {
    throw new ChainkeepError('BAD_FORMAT', `${file}: ${reason}`, { file })
  }
  const value = decodeCbor(bytes, file)
  if (!Array.isArray(value) || value.length !== 2 || !Array.isArray(value[1])) return fail('not a tree')
  const [height, items] = value as [unknown, unknown[]]
  if (typeof height !== 'number' || !Number.isInteger(height) || height < 0 || height > MAX_TREE_HEIGHT)
    return fail('a tree of impossible height')
  if (expectedHeight !== undefined && height !== expectedHeight)
    return fail(`a tree of height ${height}, not ${expectedHeight}`)
  if (items.length > TREE_MAX_ITEMS || (height > 0 && items.length === 0))
    return fail(`a tree of ${items.length} items`)
  const tree: Tree =
    height === 0
      ? { height, nodes: items.map((item) => nodeFromMap(item, file)) }
      : { height, children: items.map((item) => decodeChild(item, fail)) }
  const names = 'nodes' in tree ? tree.nodes.map((node) => node.name) : tree.children.map((child) => child.firstName)
  for (let i = 1; i < names.length; i++)
    if (names[i - 1]! >= names[i]!) return fail('a tree that is not sorted by name')
  return tree
}

function decodeChild(item: unknown, fail: (reason: string) => never): TreeChild {
  if (!Array.isArray(item) || item.length !== 3) return fail('a child that is not three items')
  const [name, id, count] = item as unknown[]
  if (!(name instanceof Uint8Array) || !(id instanceof Uint8Array) || id.length !== ID_BYTES)
    return fail('a child without name or id')
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 1) return fail('a child without nodes')
  const firstName = toByteString(name)
  if (!isSafeName(firstName)) return fail('a child with an impossible name')
  return { firstName, id: objectIdAt(id), count }
}

/** The head of a CBOR array of `length` items (RFC 8949 §3), at most 2^16. */
function arrayHead(length: number): Uint8Array {
  if (length < 24) return new Uint8Array([0x80 | length])
  return length < 256 ? new Uint8Array([0x98, length]) : new Uint8Array([0x99, length >> 8, length & 255])
}
