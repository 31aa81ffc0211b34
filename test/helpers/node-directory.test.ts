import { createHash } from 'node:crypto'
import { cp, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { expect, test } from 'vitest'
import { createNodeDirectory, growNodeDirectory } from './node-directory.ts'
import { temporaryDirectory } from './temporary-directory.ts'

test('the seed decides the files and the entries of the LevelDBs', async () => {
  await using tmp = await temporaryDirectory()
  const [a, b, other] = ['a', 'b', 'other'].map((name) => join(tmp.path, name)) as [string, string, string]
  for (const directory of [a, b]) {
    await createNodeDirectory(directory, { seed: 1, megabytes: 25 })
    await growNodeDirectory(directory, { seed: 2, hours: 0.5 })
  }
  const contents = await contentsOf(a)
  expect(Object.keys(contents)).toEqual([
    '.lock',
    'blocks/blk00000.dat',
    'blocks/blk00001.dat',
    'blocks/index',
    'blocks/rev00000.dat',
    'blocks/rev00001.dat',
    'chainstate',
    'debug.log',
    'fee_estimates.dat',
    'litecoin.conf',
    'peers.dat',
    'settings.json',
  ])
  expect(await contentsOf(b)).toEqual(contents)
  await createNodeDirectory(other, { seed: 2, megabytes: 25 })
  expect((await contentsOf(other))['blocks/blk00000.dat']).not.toBe(contents['blocks/blk00000.dat'])
})

test('it is about as large as asked for, and its last files end in zeros', async () => {
  await using tmp = await temporaryDirectory()
  await createNodeDirectory(tmp.path, { seed: 1, megabytes: 30 })
  expect(await totalBytes(tmp.path)).toBeGreaterThan(28e6)
  expect(await totalBytes(tmp.path)).toBeLessThan(33e6)
  expect((await stat(join(tmp.path, 'blocks/blk00001.dat'))).size % 2 ** 20).toBe(0)
  const undo = await readFile(join(tmp.path, 'blocks/rev00001.dat'))
  expect([undo.subarray(0, 4).toString('hex'), undo.at(-1)]).toEqual(['fbc0b6db', 0])
})

test('growing appends to block files, and rewrites and removes tables', async () => {
  await using tmp = await temporaryDirectory()
  const [before, after] = [join(tmp.path, 'before'), join(tmp.path, 'after')]
  await createNodeDirectory(before, { seed: 1, megabytes: 30 })
  await cp(before, after, { recursive: true })
  await growNodeDirectory(after, { seed: 2, hours: 3 })

  const oldBlocks = await readFile(join(before, 'blocks/blk00001.dat'))
  const newBlocks = await readFile(join(after, 'blocks/blk00001.dat'))
  const kept = oldBlocks.findLastIndex((byte) => byte !== 0) + 1
  expect(newBlocks.subarray(0, kept).equals(oldBlocks.subarray(0, kept))).toBe(true)
  expect(newBlocks.equals(oldBlocks)).toBe(false)
  const [oldTables, newTables] = [await tablesOf(before), await tablesOf(after)]
  expect(newTables.filter((name) => !oldTables.includes(name))).not.toEqual([])
  expect(oldTables.filter((name) => !newTables.includes(name))).not.toEqual([])
})

/** A hash for each file; a LevelDB counts as one file, of its entries. */
async function contentsOf(directory: string): Promise<Record<string, string>> {
  const contents: Record<string, string> = {}
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(directory.length + 1)
    if (LEVELS.includes(name)) contents[name] = await hashOfEntries(path)
    else if (entry.isFile() && !LEVELS.some((level) => name.startsWith(`${level}/`)))
      contents[name] = createHash('sha256')
        .update(await readFile(path))
        .digest('hex')
  }
  return Object.fromEntries(Object.entries(contents).sort(([a], [b]) => (a < b ? -1 : 1)))
}

const LEVELS = ['blocks/index', 'chainstate']

async function hashOfEntries(path: string): Promise<string> {
  await using db = new Level<Buffer, Buffer>(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  const hash = createHash('sha256')
  for await (const [key, value] of db.iterator()) hash.update(key).update(value)
  return hash.digest('hex')
}

async function tablesOf(directory: string): Promise<string[]> {
  return (await readdir(join(directory, 'chainstate'))).filter((name) => name.endsWith('.ldb'))
}

async function totalBytes(directory: string): Promise<number> {
  let total = 0
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) total += (await stat(join(entry.parentPath, entry.name))).size
  return total
}
