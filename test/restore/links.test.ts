import { linkSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { describeTree, openRestoring } from '../helpers/restoring.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type Listing, storeSnapshot } from '../helpers/store-tree.ts'

const isRoot = process.geteuid?.() === 0
const linkGroup = '0123456789abcdef'
const text = seededBytes('linked', 50_000)
const LINKED: Listing = {
  a: { file: text, linkGroup },
  dir: { directory: { b: { file: text, linkGroup } } },
  z: { file: text, linkGroup },
}
const inodes = (target: string): number[] => ['a', 'dir/b', 'z'].map((name) => lstatSync(join(target, name)).ino)

describe('hard links', () => {
  test('are one inode, whose content is written once', async () => {
    await using at = await openRestoring()
    const { result, items } = await at.run(await storeSnapshot(at.repository, LINKED))
    expect(new Set(inodes(at.target)).size).toBe(1)
    expect(readFileSync(join(at.target, 'z'))).toEqual(text)
    expect(result).toMatchObject({ filesRestored: 3, totalBytes: 50_000, bytesWritten: 50_000 })
    expect([...items].sort()).toEqual(['restored /a', 'restored /dir/b', 'restored /z'])
  })

  test('that are right stay', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, LINKED)
    await at.run(snapshot)
    const before = inodes(at.target)
    const { result } = await at.run(snapshot)
    expect(inodes(at.target)).toEqual(before)
    expect(result).toMatchObject({ filesUnchanged: 3, bytesWritten: 0, bytesReused: 50_000 })
  })

  test('that were separated are joined again', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, LINKED)
    await at.run(snapshot)
    rmSync(join(at.target, 'dir/b'))
    writeFileSync(join(at.target, 'dir/b'), 'other')
    const { items } = await at.run(snapshot)
    expect(new Set(inodes(at.target)).size).toBe(1)
    expect(readFileSync(join(at.target, 'dir/b'))).toEqual(text)
    expect(items).toContain('updated /dir/b')
  })

  test('with wrong content are made anew', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, LINKED)
    await at.run(snapshot)
    writeFileSync(join(at.target, 'z'), 'other')
    await at.run(snapshot)
    expect(new Set(inodes(at.target)).size).toBe(1)
    expect(readFileSync(join(at.target, 'a'))).toEqual(text)
  })

  test('of separate files in the snapshot are separated', async () => {
    await using at = await openRestoring()
    mkdirSync(at.target)
    writeFileSync(join(at.target, 'a'), 'same')
    linkSync(join(at.target, 'a'), join(at.target, 'b'))
    await at.run(await storeSnapshot(at.repository, { a: 'one', b: 'two' }))
    expect(describeTree(at.target)).toEqual(['a = one', 'b = two'])
  })

  test('to a name that is not selected lead to the first that is', async () => {
    await using at = await openRestoring()
    await at.run(await storeSnapshot(at.repository, LINKED), { exclude: ['a'] })
    expect(lstatSync(join(at.target, 'z'))).toMatchObject({ ino: lstatSync(join(at.target, 'dir/b')).ino, nlink: 2 })
  })

  test('never to a file that was left alone', async () => {
    await using at = await openRestoring()
    mkdirSync(at.target)
    writeFileSync(join(at.target, 'a'), 'mine')
    await at.run(await storeSnapshot(at.repository, LINKED), { overwrite: 'never' })
    expect(readFileSync(join(at.target, 'a'), 'utf8')).toBe('mine')
    expect(readFileSync(join(at.target, 'z'))).toEqual(text)
    expect(lstatSync(join(at.target, 'a')).nlink).toBe(1)
  })
})

describe('special files', () => {
  test('symbolic links, of other things than files', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, {
      link: { symlink: 'to nowhere\n' },
      same: { symlink: 'to nowhere\n', linkGroup },
      twin: { symlink: 'to nowhere\n', linkGroup },
    })
    await at.run(snapshot)
    expect(describeTree(at.target)).toEqual(['link', 'same', 'twin'].map((name) => `${name} -> to nowhere\n`))
    expect(lstatSync(join(at.target, 'twin'))).toMatchObject({ ino: lstatSync(join(at.target, 'same')).ino, nlink: 2 })
    const { items } = await at.run(snapshot)
    expect(items).toContain('unchanged /link')
  })

  test('a symbolic link to elsewhere and a file give way', async () => {
    await using at = await openRestoring()
    await at.run(await storeSnapshot(at.repository, { link: { symlink: 'old' }, pipe: 'a file' }))
    const { items } = await at.run(
      await storeSnapshot(at.repository, { link: { symlink: 'new' }, pipe: { fifo: true } }),
    )
    expect(items).toEqual(['updated /link', 'updated /pipe'])
    expect(describeTree(at.target)).toEqual(['link -> new', 'pipe'])
    expect(lstatSync(join(at.target, 'pipe')).isFIFO()).toBe(true)
  })

  test.runIf(isRoot)('devices, by root', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, {
      null: { device: 'char', major: 1, minor: 3 },
      disk: { device: 'block', major: 259, minor: 300_000 },
    })
    const { failures } = await at.run(snapshot)
    if (failures[0]?.includes('not permitted')) return // a container may forbid it even to root
    expect(failures).toEqual([])
    expect(lstatSync(join(at.target, 'null'))).toMatchObject({ rdev: (1 << 8) | 3 })
    expect(lstatSync(join(at.target, 'null')).isCharacterDevice()).toBe(true)
    expect(lstatSync(join(at.target, 'disk')).isBlockDevice()).toBe(true)
    expect((await at.run(snapshot)).result.filesUnchanged).toBe(2)
  })
})
