import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { nodeFileSystem as files } from '../../src/backend/file-system.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

describe('the real file system', () => {
  test('writes parts one after another, however many', async () => {
    await using tmp = await temporaryDirectory()
    for (const [i, count] of [0, 1, 1023, 1024, 1025, 5000].entries()) {
      const parts = Array.from({ length: count }, (_, n) => seededBytes(n, n % 7))
      const file = await files.create(join(tmp.path, `file ${i}`))
      await file.write(parts)
      await file.write([Buffer.from('end')])
      await file.sync()
      await file.close()
      const expected = Buffer.concat([...parts, Buffer.from('end')])
      expect(readFileSync(join(tmp.path, `file ${i}`)).equals(expected)).toBe(true)
    }
  })

  test.each([false, true])('writes more than one call takes (expected to: %s)', async (isLarge) => {
    await using tmp = await temporaryDirectory()
    const part = seededBytes('large', 2 ** 22)
    const file = await files.create(join(tmp.path, 'file'), isLarge)
    await file.write(new Array(20).fill(part))
    await file.close()
    expect((await files.stat(join(tmp.path, 'file'))).size).toBe(20 * 2 ** 22)
    const last = await files.read(join(tmp.path, 'file'), { offset: 19 * 2 ** 22, length: 2 ** 22 })
    expect(Buffer.compare(last, part)).toBe(0)
  })

  test('creates nothing over what is there, not even a link that leads nowhere', async () => {
    await using tmp = await temporaryDirectory()
    writeFileSync(join(tmp.path, 'file'), 'kept')
    symlinkSync('nowhere', join(tmp.path, 'link'))
    for (const name of ['file', 'link'])
      await expect(files.create(join(tmp.path, name))).rejects.toMatchObject({ code: 'EEXIST' })
    expect(readFileSync(join(tmp.path, 'file'), 'utf8')).toBe('kept')
  })

  test('reads what there is, and less at the end', async () => {
    await using tmp = await temporaryDirectory()
    const path = join(tmp.path, 'file')
    writeFileSync(path, '0123456789')
    const read = async (offset: number, length: number): Promise<string> =>
      Buffer.from(await files.read(path, { offset, length })).toString()
    expect(Buffer.from(await files.read(path)).toString()).toBe('0123456789')
    expect(await read(0, 10)).toBe('0123456789')
    expect(await read(3, 4)).toBe('3456')
    expect(await read(8, 5)).toBe('89')
    expect(await read(20, 5)).toBe('')
  })

  test('lists names with their kind, a link as no folder', async () => {
    await using tmp = await temporaryDirectory()
    mkdirSync(join(tmp.path, 'folder'))
    writeFileSync(join(tmp.path, 'file'), '')
    symlinkSync('folder', join(tmp.path, 'link'))
    const listed = (await files.list(tmp.path)).sort((a, b) => (a.name < b.name ? -1 : 1))
    expect(listed).toEqual([
      { name: 'file', isDirectory: false },
      { name: 'folder', isDirectory: true },
      { name: 'link', isDirectory: false },
    ])
  })

  test('links without replacing, renames with', async () => {
    await using tmp = await temporaryDirectory()
    const [one, two, three] = ['one', 'two', 'three'].map((name) => join(tmp.path, name)) as [string, string, string]
    writeFileSync(one, '1')
    writeFileSync(two, '2')
    await expect(files.link(one, two)).rejects.toMatchObject({ code: 'EEXIST' })
    await files.link(one, three)
    expect(readFileSync(three, 'utf8')).toBe('1')
    await files.rename(one, two)
    expect(readFileSync(two, 'utf8')).toBe('1')
    await files.remove(two)
    await expect(files.stat(two)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('syncs folders, and fails for those that are not there', async () => {
    await using tmp = await temporaryDirectory()
    await files.makeDirectory(join(tmp.path, 'new'))
    await files.syncDirectory(join(tmp.path, 'new'))
    await expect(files.syncDirectory(join(tmp.path, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(files.makeDirectory(join(tmp.path, 'new'))).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(files.makeDirectory(join(tmp.path, 'a', 'b'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
