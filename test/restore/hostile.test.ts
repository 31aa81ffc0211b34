import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type ByteString, byteStringOf, fromByteString } from '../../src/base/bytes.ts'
import { ID_BYTES, type ObjectId } from '../../src/base/ids.ts'
import { DEFAULT_CUT_PARAMETERS } from '../../src/chunker/fastcdc.ts'
import { encodeCbor } from '../../src/format/cbor.ts'
import { encodeList } from '../../src/format/list.ts'
import { type Node, nodeToMap } from '../../src/format/node.ts'
import type { Snapshot } from '../../src/format/snapshot.ts'
import { encodeInner, joinLeaf } from '../../src/format/tree.ts'
import type { WriteSession } from '../../src/repository/write-session.ts'
import { describeTree, openRestoring, type Restoring } from '../helpers/restoring.ts'
import { ownMeta, snapshotOf, storeContent, storeSnapshot } from '../helpers/store-tree.ts'

// Snapshots that no honest backup makes, and targets that somebody has prepared: nothing may ever be outside the target.

/** A canary beside the target that nothing may touch. */
async function withCanary(): Promise<Restoring & { isUntouched(): boolean }> {
  const at = await openRestoring()
  mkdirSync(join(at.directory, 'outside'))
  writeFileSync(join(at.directory, 'outside/file'), 'canary', { mode: 0o640 })
  const before = readdirSync(at.directory).filter((name) => name !== 'target')
  return {
    ...at,
    isUntouched() {
      expect(describeTree(join(at.directory, 'outside'))).toEqual(['file = canary'])
      expect(statSync(join(at.directory, 'outside/file')).mode & 0o7777).toBe(0o640)
      expect(readdirSync(at.directory).filter((name) => name !== 'target')).toEqual(before)
      return true
    },
  }
}

async function fileNode(session: WriteSession, name: string, text: string): Promise<Node> {
  const content = await storeContent(session, Buffer.from(text), DEFAULT_CUT_PARAMETERS)
  return { ...ownMeta(), type: 'file', name: name as ByteString, ...content }
}

/** A snapshot of whatever `build` stores. */
async function hostile(at: Restoring, build: (session: WriteSession) => Promise<ObjectId>): Promise<Snapshot> {
  const session = at.repository.beginWrite()
  const tree = await build(session)
  await session.flush()
  return snapshotOf(tree)
}

const leafOf = (session: WriteSession, nodes: readonly Node[]): Promise<ObjectId> =>
  session.saveObject('tree', joinLeaf(nodes.map((node) => encodeCbor(nodeToMap(node)))))

describe('names', () => {
  test.each([['..'], ['.'], [''], ['../outside/file'], ['a/b'], ['/etc/chainkeep-was-here'], ['outside\0']])(
    '%j spoils its directory and nothing else',
    async (name) => {
      await using at = await withCanary()
      const snapshot = await hostile(at, async (session) => {
        const bad = await leafOf(session, [await fileNode(session, name, 'evil')])
        const good = await fileNode(session, 'good', 'good')
        return leafOf(session, [{ ...ownMeta(), type: 'directory', name: 'bad' as ByteString, tree: bad }, good])
      })
      const { failures } = await at.run(snapshot)
      expect(failures).toEqual([expect.stringMatching(/^\/bad: .*(name of a directory entry|cannot stand there)/)])
      expect(describeTree(at.target)).toEqual(['bad/', 'good = good'])
      expect(at.isUntouched()).toBe(true)
      expect(existsSync('/etc/chainkeep-was-here')).toBe(false)
    },
  )

  test('".." as a directory', async () => {
    await using at = await withCanary()
    const snapshot = await hostile(at, async (session) => {
      const outside = await leafOf(session, [await fileNode(session, 'file', 'evil')])
      const up = await leafOf(session, [
        { ...ownMeta(), type: 'directory', name: 'outside' as ByteString, tree: outside },
      ])
      return leafOf(session, [{ ...ownMeta(), type: 'directory', name: '..' as ByteString, tree: up }])
    })
    const { result } = await at.run(snapshot)
    expect(result.failureCount).toBe(1)
    expect(at.isUntouched()).toBe(true)
  })

  test('a name that comes twice in one directory, first as a link that leads out', async () => {
    await using at = await withCanary()
    const snapshot = await hostile(at, async (session) => {
      const inside = await leafOf(session, [await fileNode(session, 'file', 'evil')])
      const link: Node = { ...ownMeta(), type: 'symlink', name: 'x' as ByteString, target: byteStringOf('../outside') }
      const directory: Node = { ...ownMeta(), type: 'directory', name: 'x' as ByteString, tree: inside }
      // Each part is sorted, and the parts are by their first names: only together they are not.
      const first = await leafOf(session, [await fileNode(session, 'a', ''), link])
      const second = await leafOf(session, [directory])
      const children = [
        { firstName: 'a' as ByteString, id: first, count: 2 },
        { firstName: 'x' as ByteString, id: second, count: 1 },
      ]
      return session.saveObject('tree', encodeInner(1, children))
    })
    const { result } = await at.run(snapshot)
    expect(result.failureCount).toBe(1)
    expect(at.isUntouched()).toBe(true)
  })
})

describe('links', () => {
  test('that lead out are restored and not followed', async () => {
    await using at = await withCanary()
    const listing = {
      absolute: { symlink: join(at.directory, 'outside/file') },
      relative: { symlink: '../outside' },
      up: { symlink: '..' },
    }
    const snapshot = await storeSnapshot(at.repository, listing)
    for (let i = 0; i < 2; i++) {
      const { failures } = await at.run(snapshot, { verify: true })
      expect(failures).toEqual([])
      expect(readdirSync(at.target)).toEqual(['absolute', 'relative', 'up'])
      expect(lstatSync(join(at.target, 'up')).isSymbolicLink()).toBe(true)
      expect(at.isUntouched()).toBe(true)
    }
  })

  test('and files that claim to be one inode', async () => {
    await using at = await withCanary()
    const linkGroup = '0123456789abcdef'
    const snapshot = await hostile(at, async (session) =>
      leafOf(session, [
        { ...ownMeta(), type: 'symlink', name: 'a' as ByteString, target: byteStringOf('../outside/file'), linkGroup },
        { ...(await fileNode(session, 'b', 'evil')), mode: 0o777, linkGroup },
        { ...ownMeta(), type: 'fifo', name: 'c' as ByteString, linkGroup },
      ]),
    )
    const { failures } = await at.run(snapshot)
    expect(failures).toEqual([])
    expect(describeTree(at.target)).toEqual(['a -> ../outside/file', 'b = evil', 'c'])
    expect(at.isUntouched()).toBe(true)
  })
})

describe('planted in the target', () => {
  test('a link where a directory belongs is replaced', async () => {
    await using at = await withCanary()
    mkdirSync(at.target)
    symlinkSync('../outside', join(at.target, 'dir'))
    await at.run(await storeSnapshot(at.repository, { dir: { directory: { file: 'mine', sub: { directory: {} } } } }))
    expect(describeTree(at.target)).toEqual(['dir/', 'dir/file = mine', 'dir/sub/'])
    expect(at.isUntouched()).toBe(true)
  })

  test.each([['always'], ['if-changed']] as const)('a link where a file belongs is replaced: %s', async (overwrite) => {
    await using at = await withCanary()
    mkdirSync(at.target)
    symlinkSync('../outside/file', join(at.target, 'x'))
    symlinkSync('../outside/new', join(at.target, 'y'))
    await at.run(await storeSnapshot(at.repository, { x: 'canarz', y: 'new' }), { overwrite, verify: true })
    expect(describeTree(at.target)).toEqual(['x = canarz', 'y = new'])
    expect(at.isUntouched()).toBe(true)
  })

  test('nothing below a link is left alone, compared or deleted', async () => {
    await using at = await withCanary()
    mkdirSync(at.target)
    symlinkSync('../outside', join(at.target, 'dir'))
    symlinkSync('../outside', join(at.target, 'extra'))
    const snapshot = await storeSnapshot(at.repository, { dir: { directory: { other: '' } } })
    const never = await at.run(snapshot, { overwrite: 'never', deleteExtra: true })
    expect(never.items).toEqual(['deleted TARGET/extra'])
    expect(describeTree(at.target)).toEqual(['dir -> ../outside'])
    await at.run(snapshot, { deleteExtra: true })
    expect(describeTree(at.target)).toEqual(['dir/', 'dir/other = '])
    expect(at.isUntouched()).toBe(true)
  })

  test('a FIFO where a file belongs is replaced, and nobody waits for its writer', async () => {
    await using at = await withCanary()
    const fifo = await storeSnapshot(at.repository, { x: { fifo: true } })
    await at.run(fifo)
    await at.run(await storeSnapshot(at.repository, { x: 'text' }), { verify: true })
    expect(describeTree(at.target)).toEqual(['x = text'])
  })
})

describe('sizes', () => {
  test.each([
    ['more than a file system holds', 2 ** 53 - 1],
    ['more than memory holds', 2 ** 40],
  ])('a list with a chunk of %s fails its file', async (_, size) => {
    await using at = await withCanary()
    const snapshot = await hostile(at, async (session) => {
      const content = {
        height: 1,
        id: await session.saveObject('list', encodeList(1, new Uint8Array(ID_BYTES), [size])),
      }
      const node: Node = { ...ownMeta(), type: 'file', name: 'x' as ByteString, size, sparse: true, content }
      return leafOf(session, [node, await fileNode(session, 'y', 'good')])
    })
    const created = await at.run(snapshot)
    expect(created.failures).toEqual([expect.stringMatching(/^\/x: /)])
    expect(describeTree(at.target)).toEqual(['y = good'])

    writeFileSync(join(at.target, 'x'), '')
    const compared = await at.run(snapshot)
    expect(compared.failures).toEqual([expect.stringMatching(/^\/x: /)])
    rmSync(join(at.target, 'x'))
    expect(describeTree(at.target)).toEqual(['y = good'])
  })

  test('a chunk that is longer than its list says is not written', async () => {
    await using at = await withCanary()
    const snapshot = await hostile(at, async (session) => {
      const { content } = await storeContent(session, Buffer.from('much too long'), DEFAULT_CUT_PARAMETERS)
      return leafOf(session, [{ ...ownMeta(), type: 'file', name: 'x' as ByteString, size: 4, content }])
    })
    const { failures } = await at.run(snapshot)
    expect(failures).toEqual([expect.stringMatching(/^\/x: chunk .* is 13 bytes, not 4/)])
    expect(describeTree(at.target)).toEqual([])
  })
})

test('names of any other bytes are restored as they are', async () => {
  await using at = await withCanary()
  const names = ['\xff\xfe', '-rf', ' ', '\n', '\\..', 'C:', '...', 'x'.repeat(255)] as ByteString[]
  const snapshot = await hostile(at, async (session) =>
    leafOf(session, await Promise.all([...names].sort().map((name) => fileNode(session, name, 'x')))),
  )
  const { failures } = await at.run(snapshot)
  expect(failures).toEqual([])
  for (const name of names)
    expect(readFileSync(Buffer.concat([Buffer.from(`${at.target}/`), fromByteString(name)]), 'utf8')).toBe('x')
})
