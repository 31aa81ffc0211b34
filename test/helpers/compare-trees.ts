import { type BigIntStats, closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import {
  type ByteString,
  byteStringOf,
  displayBytes,
  fromByteString,
  joinPath,
  toByteString,
} from '../../src/base/bytes.ts'
import { listAttributes } from '../../src/native/extended-attributes.ts'

export interface CompareOptions {
  /** Whether files of `b` must take no more space than those of `a`, but for a little. */
  readonly sparse?: boolean
  /** Whether the top directories must be alike, too, and not only what is in them. Default: true. */
  readonly root?: boolean
}

/**
 * What tells the tree at `b` from the one at `a`, a line for each difference; none if they are equal: names, types,
 * contents, sizes, modes, owners, modification times to the nanosecond, link targets, hard links, extended attributes and
 * device numbers. Sockets are passed over, and so are hard links to names outside. Reads every byte (holes, too, so that
 * it trusts nobody's idea of them) in constant memory, but for the names of the directories on the way.
 */
export function compareTrees(a: string, b: string, options: CompareOptions = {}): string[] {
  const { root = true, sparse = false } = options
  const roots = [byteStringOf(a), byteStringOf(b)] as const
  const comparison: Comparison = { roots, sparse, differences: [], firstNames: [new Map(), new Map()] }
  const stats = roots.map((path) => lstatSync(fromByteString(path), { bigint: true })) as [BigIntStats, BigIntStats]
  if (root || !stats[0].isDirectory()) compareEntry(comparison, TOP, stats)
  else compareListings(comparison, TOP)
  return comparison.differences
}

interface Comparison {
  readonly roots: readonly [ByteString, ByteString]
  readonly sparse: boolean
  readonly differences: string[]
  /** By tree, then by inode: the name under which it was met first. Only inodes of several names. */
  readonly firstNames: readonly [Map<string, ByteString>, Map<string, ByteString>]
}

/** Both are looked at in the same way: most of the functions here answer for either side. */
type Pair<T> = readonly [T, T]

const TOP = '.' as ByteString

const pathsOf = ({ roots: [a, b] }: Comparison, name: ByteString): Pair<ByteString> =>
  name === TOP ? [a, b] : [joinPath(a, name), joinPath(b, name)]

function compareEntry(comparison: Comparison, name: ByteString, stats: Pair<BigIntStats>): void {
  const { firstNames, sparse } = comparison
  const report = (what: string, values: Pair<string | undefined>): void => {
    if (values[0] !== values[1])
      comparison.differences.push(`${displayBytes(name)}: ${what} ${values.map(shown).join(' → ')}`)
  }
  const both = (what: string, get: (stats: BigIntStats, side: 0 | 1) => string): void =>
    report(what, [get(stats[0], 0), get(stats[1], 1)])
  both('type', typeOf)
  const type = typeOf(stats[0])
  if (type !== typeOf(stats[1])) return

  const paths = pathsOf(comparison, name)
  both('mode', ({ mode }) => (mode & 0o7777n).toString(8).padStart(4, '0'))
  both('uid', ({ uid }) => String(uid))
  both('gid', ({ gid }) => String(gid))
  both('mtime', ({ mtimeNs }) => String(mtimeNs))
  if (type !== 'directory') both('hard link of', (stats, side) => firstName(firstNames[side], name, stats))
  for (const [what, values] of attributeValues(paths)) report(what, values)
  if (type === 'symlink') both('target', (_, side) => targetOf(paths[side]))
  if (type.endsWith('device')) both('device', ({ rdev }) => `0x${rdev.toString(16)}`)
  if (type === 'file') {
    both('size', ({ size }) => String(size))
    if (stats[0].size === stats[1].size) report('content', firstDifference(paths))
    if (sparse && takesMore(stats)) both('allocated blocks', ({ blocks }) => String(blocks))
  }
  if (type === 'directory') compareListings(comparison, name)
}

const shown = (value: string | undefined): string =>
  value === undefined ? '(none)' : displayBytes(value as ByteString)

function compareListings(comparison: Comparison, name: ByteString): void {
  const names = new Set(pathsOf(comparison, name).flatMap(namesIn))
  for (const child of [...names].sort()) {
    const childName = name === TOP ? child : joinPath(name, child)
    const [a, b] = pathsOf(comparison, childName).map(statsUnlessSocket)
    if (a && b) compareEntry(comparison, childName, [a, b])
    else if (a || b)
      comparison.differences.push(`${displayBytes(childName)}: only in ${displayBytes(comparison.roots[a ? 0 : 1])}`)
  }
}

const namesIn = (path: ByteString): ByteString[] =>
  readdirSync(fromByteString(path), { encoding: 'buffer' }).map(toByteString)

function statsUnlessSocket(path: ByteString): BigIntStats | undefined {
  const stats = lstatSync(fromByteString(path), { bigint: true, throwIfNoEntry: false })
  return stats?.isSocket() ? undefined : stats
}

function typeOf(stats: BigIntStats): string {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'directory'
  if (stats.isSymbolicLink()) return 'symlink'
  if (stats.isFIFO()) return 'fifo'
  return stats.isBlockDevice() ? 'block device' : 'char device'
}

const targetOf = (path: ByteString): ByteString =>
  toByteString(readlinkSync(fromByteString(path), { encoding: 'buffer' }))

/** Names are met in the same order on both sides, so each group of hard links is known by the first of them. */
function firstName(known: Map<string, ByteString>, name: ByteString, { dev, ino, nlink }: BigIntStats): ByteString {
  if (nlink === 1n) return name
  const inode = `${dev}:${ino}`
  const first = known.get(inode) ?? name
  known.set(inode, first)
  return first
}

function attributeValues(paths: Pair<ByteString>): [what: string, values: Pair<ByteString | undefined>][] {
  const [a, b] = [attributesByName(paths[0]), attributesByName(paths[1])]
  const names = new Set([...a.keys(), ...b.keys()])
  return [...names].map((name) => [`attribute ${displayBytes(name)}`, [a.get(name), b.get(name)]])
}

const attributesByName = (path: ByteString): Map<ByteString, ByteString> =>
  new Map(listAttributes(path).map(({ name, value }) => [name, toByteString(value)]))

/** What is allocated differs a little with the file system's mood: 64 KiB and a 64th are forgiven. */
function takesMore([a, b]: Pair<BigIntStats>): boolean {
  return b.blocks > a.blocks + a.blocks / 64n + 128n
}

const BUFFER_BYTES = 1 << 20

/** The bytes at the first offset at which the files differ, if there is one. */
function firstDifference(paths: Pair<ByteString>): Pair<string | undefined> {
  const a = openSync(fromByteString(paths[0]), 'r')
  const b = openSync(fromByteString(paths[1]), 'r')
  try {
    const buffers = [Buffer.allocUnsafe(BUFFER_BYTES), Buffer.allocUnsafe(BUFFER_BYTES)] as const
    for (let offset = 0; ; offset += BUFFER_BYTES) {
      const bytesA = readFully(a, buffers[0], offset)
      const bytesB = readFully(b, buffers[1], offset)
      if (!bytesA.equals(bytesB)) {
        const at = bytesA.findIndex((byte, i) => byte !== bytesB[i])
        return [`${bytesA[at]} at ${offset + at}`, `${bytesB[at]} at ${offset + at}`]
      }
      if (bytesA.length < BUFFER_BYTES) return [undefined, undefined]
    }
  } finally {
    closeSync(a)
    closeSync(b)
  }
}

/** A view of what there is from `offset` on, as far as it fits. */
function readFully(fd: number, buffer: Buffer, offset: number): Buffer {
  let length = 0
  let count: number
  while ((count = readSync(fd, buffer, length, buffer.length - length, offset + length)) > 0) length += count
  return buffer.subarray(0, length)
}
