import { type ByteString, fromByteString, toByteString } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import { idBytes, type ObjectId, objectIdAt } from '../base/ids.ts'
import type { Attribute } from '../native/extended-attributes.ts'
import { CborMap, cborMap } from './cbor.ts'

import { MAX_LIST_HEIGHT } from './list.ts'

export type { Attribute } from '../native/extended-attributes.ts'

/** One entry of a directory: FORMAT.md §7. */
export type Node = FileNode | DirectoryNode | SymlinkNode | FifoNode | DeviceNode

interface NodeBase {
  /** A single path component, any bytes but `/` and NUL. */
  readonly name: ByteString
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly user?: string
  readonly group?: string
  /** Nanoseconds since 1970. Absent on the directories above a source, which are only the way to it. */
  readonly mtimeNs?: bigint
  /** Small attribute sets are inline, large ones an object of their own. */
  readonly attributes?: readonly Attribute[] | ObjectId
  /** Names with the same token in one snapshot are hard links to one inode. 16 hex digits. */
  readonly linkGroup?: string
}

export interface FileNode extends NodeBase {
  readonly type: 'file'
  readonly size: number
  /** Absent if and only if the size is 0. */
  readonly content?: Content
  /** The source had holes; a restore makes them again. */
  readonly sparse?: boolean
  /** The file changed while it was read, every time: what is stored may never have existed as a whole. */
  readonly torn?: boolean
}

export interface DirectoryNode extends NodeBase {
  readonly type: 'directory'
  readonly tree: ObjectId
}

export interface SymlinkNode extends NodeBase {
  readonly type: 'symlink'
  readonly target: ByteString
}

export interface FifoNode extends NodeBase {
  readonly type: 'fifo'
}

export interface DeviceNode extends NodeBase {
  readonly type: 'char-device' | 'block-device'
  readonly major: number
  readonly minor: number
}

/** Where a file's bytes are: height 0 is the only chunk itself, any other the root of the lists (FORMAT.md §6). */
export interface Content {
  readonly height: number
  readonly id: ObjectId
}

/** Attribute sets whose names and values are longer together become an object of their own. */
export const MAX_INLINE_ATTRIBUTE_BYTES = 1024

const TYPE_CODES = { file: 1, directory: 2, symlink: 3, fifo: 4, 'char-device': 5, 'block-device': 6 } as const
const KEY = {
  name: 1,
  type: 2,
  mode: 3,
  mtime: 4,
  uid: 5,
  gid: 6,
  user: 7,
  group: 8,
  linkGroup: 9,
  attributes: 10,
  attributesId: 11,
  size: 12,
  contentHeight: 13,
  contentId: 14,
  filters: 15,
  sparse: 16,
  torn: 17,
  tree: 18,
  target: 19,
  major: 20,
  minor: 21,
} as const

/** The map to be encoded for a node, with keys in ascending order. */
export function nodeToMap(node: Node): Map<string | number, unknown> {
  const file = node.type === 'file' ? node : undefined
  const device = node.type === 'char-device' || node.type === 'block-device' ? node : undefined
  const inline = typeof node.attributes === 'string' ? undefined : node.attributes
  return cborMap([
    [KEY.name, fromByteString(node.name)],
    [KEY.type, TYPE_CODES[node.type]],
    [KEY.mode, node.mode],
    [KEY.mtime, node.mtimeNs],
    [KEY.uid, node.uid],
    [KEY.gid, node.gid],
    [KEY.user, node.user],
    [KEY.group, node.group],
    [KEY.linkGroup, node.linkGroup === undefined ? undefined : Buffer.from(node.linkGroup, 'hex')],
    [KEY.attributes, inline && attributesToArray(inline)],
    [KEY.attributesId, typeof node.attributes === 'string' ? idBytes(node.attributes) : undefined],
    [KEY.size, file?.size],
    [KEY.contentHeight, file?.content?.height],
    [KEY.contentId, file?.content && idBytes(file.content.id)],
    [KEY.sparse, file?.sparse || undefined],
    [KEY.torn, file?.torn || undefined],
    [KEY.tree, node.type === 'directory' ? idBytes(node.tree) : undefined],
    [KEY.target, node.type === 'symlink' ? fromByteString(node.target) : undefined],
    [KEY.major, device?.major],
    [KEY.minor, device?.minor],
  ])
}

/** Strict inverse of `nodeToMap`. Throws BAD_FORMAT, also for a name that could lead out of its directory. */
export function nodeFromMap(value: unknown, file: string): Node {
  const map = new CborMap(value, file)
  const base = decodeBase(map, file)
  const type = map.integer(KEY.type)
  switch (type) {
    case TYPE_CODES.file:
      return { ...base, type: 'file', ...decodeFileFields(map, file) }
    case TYPE_CODES.directory:
      return { ...base, type: 'directory', tree: objectIdAt(map.id(KEY.tree)) }
    case TYPE_CODES.symlink:
      return { ...base, type: 'symlink', target: decodeTarget(map) }
    case TYPE_CODES.fifo:
      return { ...base, type: 'fifo' }
    case TYPE_CODES['char-device']:
    case TYPE_CODES['block-device']: {
      const name = type === TYPE_CODES['char-device'] ? 'char-device' : 'block-device'
      return {
        ...base,
        type: name,
        major: map.integer(KEY.major, 0, 2 ** 32 - 1),
        minor: map.integer(KEY.minor, 0, 2 ** 32 - 1),
      }
    }
    default:
      return map.fail(KEY.type, 'a known type')
  }
}

/** Whether `name` can stand in a directory: one component that leads nowhere else. */
export function isSafeName(name: ByteString): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name)
}

/** The array to be encoded for an attribute set: [[name, value], …], sorted by name. */
export function attributesToArray(attributes: readonly Attribute[]): unknown {
  return attributes.map(({ name, value }) => [fromByteString(name), value])
}

export function attributesFromArray(value: unknown, file: string): Attribute[] {
  const fail = (): never => {
    throw new ChainkeepError('BAD_FORMAT', `${file}: not a set of attributes`, { file })
  }
  if (!Array.isArray(value)) return fail()
  return value.map((item: unknown) => {
    if (!Array.isArray(item) || item.length !== 2) return fail()
    const [name, content] = item as unknown[]
    if (!(name instanceof Uint8Array) || !(content instanceof Uint8Array) || name.length === 0 || name.includes(0))
      return fail()
    return { name: toByteString(name), value: content }
  })
}

function decodeBase(map: CborMap, file: string): NodeBase {
  const name = map.byteString(KEY.name)
  if (!isSafeName(name)) map.fail(KEY.name, 'the name of a directory entry')
  return {
    name,
    mode: map.integer(KEY.mode, 0, 0o7777),
    uid: map.integer(KEY.uid, 0, 2 ** 32 - 1),
    gid: map.integer(KEY.gid, 0, 2 ** 32 - 1),
    user: map.optionalText(KEY.user),
    group: map.optionalText(KEY.group),
    mtimeNs: map.has(KEY.mtime) ? map.bigint(KEY.mtime) : undefined,
    attributes: decodeAttributes(map, file),
    linkGroup: map.has(KEY.linkGroup) ? decodeLinkGroup(map) : undefined,
  }
}

function decodeLinkGroup(map: CborMap): string {
  const group = map.bytes(KEY.linkGroup)
  if (group.length !== 8) map.fail(KEY.linkGroup, 'a link group of 8 bytes')
  return Buffer.from(group).toString('hex')
}

function decodeAttributes(map: CborMap, file: string): NodeBase['attributes'] {
  if (map.has(KEY.attributesId)) return objectIdAt(map.id(KEY.attributesId))
  return map.has(KEY.attributes) ? attributesFromArray(map.array(KEY.attributes), file) : undefined
}

function decodeFileFields(map: CborMap, file: string): Pick<FileNode, 'size' | 'content' | 'sparse' | 'torn'> {
  if (map.has(KEY.filters))
    throw new ChainkeepError(
      'UNSUPPORTED',
      `${file}: a file stored through a filter, which this chainkeep lacks: use a newer one`,
      { file },
    )
  const size = map.integer(KEY.size)
  const sparse = map.flag(KEY.sparse) || undefined
  const torn = map.flag(KEY.torn) || undefined
  if (size === 0) {
    if (map.has(KEY.contentId)) map.fail(KEY.contentId, 'absent, though the file is empty')
    return { size, sparse, torn }
  }
  const content = { height: map.integer(KEY.contentHeight, 0, MAX_LIST_HEIGHT), id: objectIdAt(map.id(KEY.contentId)) }
  return { size, content, sparse, torn }
}

function decodeTarget(map: CborMap): ByteString {
  const target = map.byteString(KEY.target)
  if (target === '' || target.includes('\0')) map.fail(KEY.target, 'the target of a symbolic link')
  return target
}
