import { type BigIntStats, readlinkSync } from 'node:fs'
import { type ByteString, fromByteString, toByteString } from '../base/bytes.ts'
import type { ObjectId } from '../base/ids.ts'
import { encodeCbor } from '../format/cbor.ts'
import {
  type Attribute,
  attributesToArray,
  type Content,
  MAX_INLINE_ATTRIBUTE_BYTES,
  type Node,
} from '../format/node.ts'
import type { Accounts } from '../native/accounts.ts'
import { listAttributes } from '../native/extended-attributes.ts'
import { deviceNumbers } from '../native/posix.ts'
import type { SaveObject } from '../repository/lists.ts'

/** What turns stats into nodes. */
export interface NodeMaker {
  readonly accounts: Accounts
  readonly save: SaveObject
  /** Hears that something of an entry could not be read; the rest of it is kept. */
  readonly onError: (path: ByteString, error: unknown) => void
}

type Common = Pick<Node, 'name' | 'mode' | 'uid' | 'gid' | 'user' | 'group' | 'mtimeNs' | 'attributes' | 'linkGroup'>

/** A promise only where something had to be stored first, which is rare. */
type Made<N> = N | Promise<N>

/** The node of a directory whose listing is `tree`. Of an ancestor of the sources only name, mode and owner are kept. */
export function directoryNode(
  maker: NodeMaker,
  path: ByteString,
  name: ByteString,
  stats: BigIntStats,
  tree: ObjectId,
  isAncestor: boolean,
): Made<Node> {
  if (isAncestor) return { ...owned(maker, name, stats), type: 'directory', tree }
  return makeNode(maker, path, name, stats, (common) => ({ ...common, type: 'directory', tree }))
}

export interface FileContent {
  readonly size: number
  readonly content?: Content
  readonly torn?: boolean
}

export function fileNode(
  maker: NodeMaker,
  path: ByteString,
  name: ByteString,
  stats: BigIntStats,
  file: FileContent,
  linkGroup?: string,
): Made<Node> {
  // 512: the unit of st_blocks, whatever the file system's own is (stat(2)).
  const sparse = stats.blocks * 512n < stats.size || undefined
  return makeNode(maker, path, name, stats, (common) => ({ ...common, linkGroup, type: 'file', ...file, sparse }))
}

/** The node of anything else, or `undefined` for what cannot be stored (a socket). */
export function specialNode(
  maker: NodeMaker,
  path: ByteString,
  name: ByteString,
  stats: BigIntStats,
  linkGroup?: string,
): Made<Node | undefined> {
  return makeNode(maker, path, name, stats, (attributes) => {
    const common = { ...attributes, linkGroup }
    if (stats.isSymbolicLink()) {
      const target = readlinkSync(fromByteString(path), { encoding: 'buffer' })
      return { ...common, type: 'symlink', target: toByteString(target) }
    }
    if (stats.isFIFO()) return { ...common, type: 'fifo' }
    if (stats.isCharacterDevice()) return { ...common, type: 'char-device', ...deviceNumbers(stats.rdev) }
    if (stats.isBlockDevice()) return { ...common, type: 'block-device', ...deviceNumbers(stats.rdev) }
    return undefined
  })
}

function owned({ accounts }: NodeMaker, name: ByteString, stats: BigIntStats): Common {
  const uid = Number(stats.uid)
  const gid = Number(stats.gid)
  return {
    name,
    mode: Number(stats.mode & 0o7777n),
    uid,
    gid,
    user: accounts.userName(uid),
    group: accounts.groupName(gid),
  }
}

/** Makes a node with the fields that all have, once its attributes are stored where they are many. */
function makeNode<N>(
  maker: NodeMaker,
  path: ByteString,
  name: ByteString,
  stats: BigIntStats,
  make: (common: Common) => N,
): Made<N> {
  const common = { ...owned(maker, name, stats), mtimeNs: withinFormat(stats.mtimeNs) }
  const attributes = attributesOf(maker, path)
  return attributes instanceof Promise
    ? attributes.then((id) => make({ ...common, attributes: id }))
    : make({ ...common, attributes })
}

function attributesOf({ save, onError }: NodeMaker, path: ByteString): Made<Node['attributes']> {
  const attributes = readAttributes(path, (error) => onError(path, error))
  if (attributes.length === 0) return undefined
  const bytes = attributes.reduce((sum, { name, value }) => sum + name.length + value.length, 0)
  return bytes <= MAX_INLINE_ATTRIBUTE_BYTES
    ? attributes
    : save('attributes', encodeCbor(attributesToArray(attributes)))
}

/** Those that can be read; `onError` hears of the others. */
function readAttributes(path: ByteString, onError: (error: unknown) => void): readonly Attribute[] {
  try {
    return listAttributes(path, (_name, error) => onError(error))
  } catch (error) {
    onError(error)
    return []
  }
}

/** File systems hold times beyond the year 2262, where the format's 64 bits end (FORMAT.md §7): the nearest it can hold. */
function withinFormat(mtimeNs: bigint): bigint {
  if (BigInt.asIntN(64, mtimeNs) === mtimeNs) return mtimeNs
  return mtimeNs < 0n ? -(2n ** 63n) : 2n ** 63n - 1n
}
