import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type ByteString,
  byteStringOf,
  displayBytes,
  fromByteString,
  joinPath,
  toByteString,
} from '../../src/base/bytes.ts'
import { removeAttribute, setAttribute } from '../../src/native/extended-attributes.ts'
import { makeDevice, makeFifo, setModifiedTime } from '../../src/native/posix.ts'
import { compareTrees } from './compare-trees.ts'
import { type TemporaryDirectory, temporaryDirectory } from './temporary-directory.ts'

const isRoot = process.getuid?.() === 0
const MiB = 1 << 20

let tmp: TemporaryDirectory
let a: string
let hasAttributes = true
let trees = 0

beforeAll(async () => {
  tmp = await temporaryDirectory()
  a = makeTree()
})
afterAll(async () => {
  await tmp[Symbol.asyncDispose]()
})

/** One of everything. Calls of this make equal trees. */
function makeTree(): string {
  const root = join(tmp.path, `tree${trees++}`)
  const at = (...names: string[]): string => join(root, ...names)
  mkdirSync(at('dir', 'empty'), { recursive: true })
  writeFileSync(at('dir', 'file'), 'content')
  writeFileSync(at('dir', 'empty-file'), '')
  writeFileSync(at('long'), Buffer.alloc(2 * MiB + 10, 7))
  for (const name of ['link1', 'link2', 'link3']) writeFileSync(at(name), 'linked')
  for (const name of ['link1', 'link2']) linkSync(at(name), at('dir', name))
  symlinkSync('dir/file', at('symlink'))
  makeFifo(byteStringOf(at('fifo')), 0o600)
  writeFileSync(fromByteString(joinPath(byteStringOf(root), 'caf\xe9\xff' as ByteString)), 'not UTF-8')
  writeSparse(at('sparse'))
  if (isRoot) makeDevice(byteStringOf(at('device')), 'char', 0o600, 1, 3)
  try {
    setAttribute(byteStringOf(at('dir', 'file')), 'user.a' as ByteString, Buffer.from('1'))
  } catch {
    hasAttributes = false
  }
  settle(byteStringOf(root))
  return root
}

function writeSparse(path: string): void {
  const fd = openSync(path, 'w')
  ftruncateSync(fd, 4 * MiB)
  writeSync(fd, 'data', MiB)
  closeSync(fd)
}

/** Gives everything one modification time, so that a test has no other difference than its own. */
function settle(path: ByteString): void {
  setModifiedTime(path, 1_700_000_000_123_456_789n)
  let names: Buffer[] = []
  try {
    names = readdirSync(fromByteString(path), { encoding: 'buffer' })
  } catch {
    return // no directory
  }
  for (const name of names) settle(joinPath(path, toByteString(name)))
  setModifiedTime(path, 1_700_000_000_123_456_789n)
}

/** What is told of a tree that was equal until `change`. */
function differencesAfter(change: (at: (...names: string[]) => string) => void, options = {}): string[] {
  const b = makeTree()
  change((...names) => join(b, ...names))
  settle(byteStringOf(b))
  return compareTrees(a, b, options).map((line) => line.replace(b, 'B').replace(a, 'A'))
}

test('trees made alike are equal', () => {
  expect(differencesAfter(() => {})).toEqual([])
  expect(differencesAfter(() => {}, { sparse: true })).toEqual([])
  expect(compareTrees(a, a, { sparse: true })).toEqual([])
})

test('names', () => {
  expect(differencesAfter((at) => rmSync(at('dir', 'file')))).toEqual(['dir/file: only in A'])
  expect(differencesAfter((at) => rmSync(at('dir', 'empty'), { recursive: true }))).toEqual(['dir/empty: only in A'])
  expect(differencesAfter((at) => writeFileSync(at('dir', 'new'), ''))).toEqual(['dir/new: only in B'])
  // Of which some are one when read as UTF-8.
  const latin = (name: string): ByteString => `caf\xe9${name}` as ByteString
  const replaced = differencesAfter((at) => {
    rmSync(fromByteString(joinPath(byteStringOf(at()), latin('\xff'))))
    writeFileSync(fromByteString(joinPath(byteStringOf(at()), latin('\xfe'))), 'not UTF-8')
  })
  expect(replaced).toEqual([`${displayBytes(latin('\xfe'))}: only in B`, `${displayBytes(latin('\xff'))}: only in A`])
})

test('types', () => {
  const change = (at: (name: string) => string): void => {
    rmSync(at('fifo'))
    mkdirSync(at('fifo'))
    rmSync(at('symlink'))
    writeFileSync(at('symlink'), '')
  }
  expect(differencesAfter(change)).toEqual(['fifo: type fifo → directory', 'symlink: type symlink → file'])
})

test('content and size', () => {
  expect(differencesAfter((at) => writeFileSync(at('dir', 'file'), 'cOntent'))).toEqual([
    'dir/file: content 111 at 1 → 79 at 1',
  ])
  const change = (at: (name: string) => string): void => {
    const fd = openSync(at('long'), 'r+')
    writeSync(fd, '!', 2 * MiB + 9)
    closeSync(fd)
  }
  expect(differencesAfter(change)).toEqual([`long: content 7 at ${2 * MiB + 9} → 33 at ${2 * MiB + 9}`])
  expect(differencesAfter((at) => truncateSync(at('long'), 2 * MiB))).toEqual([
    `long: size ${2 * MiB + 10} → ${2 * MiB}`,
  ])
  expect(differencesAfter((at) => truncateSync(at('dir', 'empty-file'), 1))).toEqual(['dir/empty-file: size 0 → 1'])
})

test('modes', () => {
  expect(differencesAfter((at) => chmodSync(at('dir', 'file'), 0o4751))).toEqual(['dir/file: mode 0644 → 4751'])
  expect(differencesAfter((at) => chmodSync(at('dir'), 0o1700))).toEqual(['dir: mode 0755 → 1700'])
  expect(differencesAfter((at) => chmodSync(at('fifo'), 0o640))).toEqual(['fifo: mode 0600 → 0640'])
})

test.skipIf(!isRoot)('owners (as root only)', () => {
  expect(differencesAfter((at) => chownSync(at('dir'), 5, 0))).toEqual(['dir: uid 0 → 5'])
  expect(differencesAfter((at) => lchownSync(at('symlink'), 0, 6))).toEqual(['symlink: gid 0 → 6'])
})

test('modification times to the nanosecond, of everything', () => {
  for (const name of ['.', 'dir', 'dir/file', 'symlink', 'fifo']) {
    const b = makeTree()
    setModifiedTime(byteStringOf(join(b, name)), 1_700_000_000_123_456_790n)
    expect(compareTrees(a, b)).toEqual([`${name}: mtime 1700000000123456789 → 1700000000123456790`])
  }
})

test('link targets', () => {
  const change = (at: (name: string) => string): void => {
    rmSync(at('symlink'))
    symlinkSync('dir/File', at('symlink'))
  }
  expect(differencesAfter(change)).toEqual(['symlink: target dir/file → dir/File'])
})

test('hard links', () => {
  const copyInstead = differencesAfter((at) => {
    rmSync(at('link1'))
    cpSync(at('dir', 'link1'), at('link1'))
  })
  expect(copyInstead).toEqual(['link1: hard link of dir/link1 → link1'])
  const joined = differencesAfter((at) => {
    rmSync(at('link3'))
    linkSync(at('link2'), at('link3'))
  })
  expect(joined).toEqual(['link3: hard link of link3 → dir/link2'])
  const crossed = differencesAfter((at) => {
    for (const name of ['link1', 'link2']) rmSync(at(name))
    linkSync(at('dir', 'link1'), at('link2'))
    linkSync(at('dir', 'link2'), at('link1'))
  })
  expect(crossed).toEqual(['link1: hard link of dir/link1 → dir/link2', 'link2: hard link of dir/link2 → dir/link1'])
})

test('hard links to names outside of the tree are none', () => {
  expect(differencesAfter((at) => linkSync(at('link3'), join(tmp.path, 'outside')))).toEqual([])
})

test('extended attributes', (context) => {
  context.skip(!hasAttributes, 'no extended attributes in the temporary folder')
  const name = 'user.a' as ByteString
  const set = (path: string, value: string): void => setAttribute(byteStringOf(path), name, Buffer.from(value))
  expect(differencesAfter((at) => set(at('dir', 'file'), '2'))).toEqual(['dir/file: attribute user.a 1 → 2'])
  expect(differencesAfter((at) => set(at('dir'), ''))).toEqual(['dir: attribute user.a (none) → '])
  expect(differencesAfter((at) => removeAttribute(byteStringOf(at('dir', 'file')), name))).toEqual([
    'dir/file: attribute user.a 1 → (none)',
  ])
})

test.skipIf(!isRoot)('device numbers (as root only)', () => {
  const change = (type: 'char' | 'block', minor: number) => (at: (name: string) => string) => {
    rmSync(at('device'))
    makeDevice(byteStringOf(at('device')), type, 0o600, 1, minor)
  }
  expect(differencesAfter(change('char', 5))).toEqual(['device: device 0x103 → 0x105'])
  expect(differencesAfter(change('block', 3))).toEqual(['device: type char device → block device'])
})

test('filled holes, if asked for', (context) => {
  const fill = (at: (name: string) => string): void => {
    const bytes = Buffer.alloc(4 * MiB)
    bytes.write('data', MiB)
    writeFileSync(at('sparse'), bytes)
  }
  expect(differencesAfter(fill)).toEqual([])
  const differences = differencesAfter(fill, { sparse: true })
  context.skip(differences.length === 0 && process.platform !== 'linux', 'the file system has no holes')
  expect(differences).toEqual([expect.stringMatching(/^sparse: allocated blocks \d+ → \d+$/)])
  expect(compareTrees(`${a}/long`, `${a}/long`, { sparse: true })).toEqual([])
})

test('sockets are passed over', async () => {
  const b = makeTree()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(join(b, 'socket'), resolve))
  settle(byteStringOf(b))
  expect(compareTrees(a, b)).toEqual([])
  await new Promise((resolve) => server.close(resolve))
})

test('the top directories themselves, unless they do not matter', () => {
  const change = (at: () => string): void => chmodSync(at(), 0o700)
  expect(differencesAfter(change)).toEqual(['.: mode 0755 → 0700'])
  expect(differencesAfter(change, { root: false })).toEqual([])
})

test('every difference is told', () => {
  const change = (at: (...names: string[]) => string): void => {
    chmodSync(at('dir', 'file'), 0o600)
    writeFileSync(at('dir', 'file'), 'x')
    rmSync(at('fifo'))
  }
  expect(differencesAfter(change)).toEqual(['dir/file: mode 0644 → 0600', 'dir/file: size 7 → 1', 'fifo: only in A'])
})
