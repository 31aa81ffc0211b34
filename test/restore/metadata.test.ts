import { chmodSync, chownSync, linkSync, lstatSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { listAttributes, setAttribute } from '../../src/native/extended-attributes.ts'
import { metadataOf } from '../../src/restore/metadata.ts'
import { openRestoring } from '../helpers/restoring.ts'
import { ownMeta, storeSnapshot } from '../helpers/store-tree.ts'

const isRoot = process.geteuid?.() === 0
const attribute = (name: string, value: string | Buffer): { name: ByteString; value: Buffer } => ({
  name: byteStringOf(name),
  value: Buffer.from(value),
})
const attributesOf = (path: string): string[] =>
  listAttributes(byteStringOf(path)).map(({ name, value }) => `${name}=${Buffer.from(value).toString()}`)

describe('modes and times', () => {
  test('of files, directories, links and FIFOs', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, {
      file: { file: 'x', mode: 0o400, mtimeNs: -1_500_000_001n },
      dir: { directory: { inner: 'x' }, mode: 0o2570, mtimeNs: 4_000_000_000_999_999_999n },
      link: { symlink: 'nowhere', mtimeNs: 1n },
      fifo: { fifo: true, mode: 0o622, mtimeNs: 2n },
      suid: { file: 'x', mode: 0o4755, uid: 1, gid: 1 },
    })
    const { failures } = await at.run(snapshot)
    expect(failures).toEqual([])
    const stats = (name: string) => lstatSync(join(at.target, name), { bigint: true })
    expect(stats('file')).toMatchObject({ mode: 0o100400n, mtimeNs: -1_500_000_001n })
    expect(stats('dir')).toMatchObject({ mode: 0o042570n, mtimeNs: 4_000_000_000_999_999_999n })
    expect(stats('link')).toMatchObject({ mtimeNs: 1n })
    expect(stats('fifo')).toMatchObject({ mode: 0o010622n, mtimeNs: 2n })
    expect(stats('suid').mode).toBe(0o104755n)
  })

  test('of what has only these wrong; then it counts as updated', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, { a: 'x', b: 'y' })
    await at.run(snapshot)
    chmodSync(join(at.target, 'a'), 0o600)
    const { items, result } = await at.run(snapshot)
    expect([...items].sort()).toEqual(['unchanged /b', 'updated /a'])
    expect(result.bytesWritten).toBe(0)
    expect(statSync(join(at.target, 'a')).mode & 0o7777).toBe(0o644)
  })

  test('a directory that is only the way to a source keeps its time', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, { way: { directory: { a: 'x' }, mtimeNs: undefined } })
    const { failures } = await at.run(snapshot)
    expect(failures).toEqual([])
    expect(Math.abs(lstatSync(join(at.target, 'way')).mtimeMs - Date.now())).toBeLessThan(60_000)
  })
})

describe('owners', () => {
  const accounts = {
    userName: () => undefined,
    groupName: () => undefined,
    userId: (name: string) => (name === 'alice' ? 4711 : undefined),
    groupId: (name: string) => (name === 'staff' ? 4712 : undefined),
  }
  const node = { ...ownMeta(), type: 'fifo', name: 'x' as ByteString, uid: 1, gid: 2 } as const

  test('by name where the name exists, else by number', () => {
    const root = { isRoot: true, accounts }
    expect(metadataOf({ ...node, user: 'alice', group: 'staff' }, [], root)).toMatchObject({ uid: 4711, gid: 4712 })
    expect(metadataOf({ ...node, user: 'bob' }, [], root)).toMatchObject({ uid: 1, gid: 2 })
  })

  test('only by root', () => {
    const metadata = metadataOf({ ...node, user: 'alice' }, [], { isRoot: false, accounts })
    expect(metadata).toMatchObject({ uid: undefined, gid: undefined })
  })

  test.runIf(isRoot)('of files, directories and links themselves', async () => {
    await using at = await openRestoring()
    const owner = { uid: 12_345, gid: 54_321, user: 'no-such-user' }
    const snapshot = await storeSnapshot(at.repository, {
      file: { file: 'x', ...owner },
      dir: { directory: {}, ...owner },
      link: { symlink: 'file', ...owner, uid: 777 },
    })
    await at.run(snapshot)
    expect(lstatSync(join(at.target, 'file'))).toMatchObject({ uid: 12_345, gid: 54_321 })
    expect(lstatSync(join(at.target, 'dir'))).toMatchObject({ uid: 12_345, gid: 54_321 })
    expect(lstatSync(join(at.target, 'link'))).toMatchObject({ uid: 777, gid: 54_321 })
    chownSync(join(at.target, 'file'), 1, 1)
    const { items } = await at.run(snapshot)
    expect(items).toContain('updated /file')
    expect(lstatSync(join(at.target, 'file'))).toMatchObject({ uid: 12_345, gid: 54_321 })
  })
})

describe('extended attributes', () => {
  test('are restored, also to what nobody may write; others are removed', async () => {
    await using at = await openRestoring()
    const large = attribute('user.large', Buffer.alloc(3000, 'l'))
    const snapshot = await storeSnapshot(at.repository, {
      file: { file: 'x', mode: 0o444, attributes: [attribute('user.a', '1'), attribute('user.b', '2')] },
      dir: { directory: {}, attributes: [large] },
    })
    expect((await at.run(snapshot)).failures).toEqual([])
    expect(attributesOf(join(at.target, 'file'))).toEqual(['user.a=1', 'user.b=2'])
    expect(attributesOf(join(at.target, 'dir'))).toEqual([`user.large=${'l'.repeat(3000)}`])

    const file = byteStringOf(join(at.target, 'file'))
    chmodSync(join(at.target, 'file'), 0o644)
    setAttribute(file, byteStringOf('user.b'), Buffer.from('other'))
    setAttribute(file, byteStringOf('user.extra'), Buffer.from('extra'))
    const { items } = await at.run(snapshot)
    expect(items).toEqual(['updated /file'])
    expect(attributesOf(join(at.target, 'file'))).toEqual(['user.a=1', 'user.b=2'])
  })

  test('that cannot be set are failures; everything else is restored', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, {
      file: { file: 'x', mode: 0o640, attributes: [attribute('nonsense', '1'), attribute('user.b', '2')] },
    })
    const { failures, result } = await at.run(snapshot)
    expect(failures).toEqual([expect.stringMatching(/^\/file: cannot set the extended attribute nonsense of /)])
    expect(attributesOf(join(at.target, 'file'))).toEqual(['user.b=2'])
    expect(statSync(join(at.target, 'file')).mode & 0o7777).toBe(0o640)
    expect(result).toMatchObject({ filesRestored: 1, failureCount: 1 })
  })
})

test('a file with names elsewhere keeps its inode only if all of it is right', async () => {
  await using at = await openRestoring()
  const snapshot = await storeSnapshot(at.repository, { a: { file: 'text', attributes: [attribute('user.a', '1')] } })
  await at.run(snapshot)
  const elsewhere = join(at.directory, 'elsewhere')
  linkSync(join(at.target, 'a'), elsewhere)
  const inode = lstatSync(elsewhere).ino

  expect((await at.run(snapshot)).items).toEqual(['unchanged /a'])
  expect(lstatSync(join(at.target, 'a')).ino).toBe(inode)

  for (const spoil of [
    () => chmodSync(elsewhere, 0o600),
    () => setAttribute(byteStringOf(elsewhere), byteStringOf('user.a'), Buffer.from('2')),
    () => writeFileSync(elsewhere, 'TEXT'),
  ]) {
    spoil()
    const before = lstatSync(elsewhere, { bigint: true })
    const { items } = await at.run(snapshot)
    expect(items).toEqual(['updated /a'])
    const after = lstatSync(elsewhere, { bigint: true })
    expect([after.mode, after.mtimeNs, after.nlink]).toEqual([before.mode, before.mtimeNs, 1n])
    linkSync(join(at.target, 'a'), `${elsewhere}.next`)
    renameSync(`${elsewhere}.next`, elsewhere)
  }
})
