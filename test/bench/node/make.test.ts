import { hash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Level } from 'level'
import { describe, expect, test } from 'vitest'
import { advanceHour, makeNodeData, makeSmallFiles } from '../../../bench/node/make.ts'
import { obfuscate } from '../../../bench/node/record-file.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const MAGIC = 0xd9b4bef9

describe('a made node directory', () => {
  test('rolls over at 128 MiB and holds whole records, then zeros up to the next step, whoever makes it', async () => {
    await using tmp = await temporaryDirectory()
    const dir = join(tmp.path, 'long')
    const growth = await makeNodeData(dir, { seed: 1, bytes: 165e6, threads: 1 })
    expect(readdirSync(join(dir, 'blocks'))).toEqual([
      'blk00000.dat',
      'blk00001.dat',
      'rev00000.dat',
      'rev00001.dat',
      'xor.dat',
    ])
    const left = records(dir, 'blk00000.dat', 0)
    expect(left.fileBytes).toBeLessThanOrEqual(128 << 20)
    expect(left.fileBytes).toBeGreaterThan(126 << 20)
    expect(left.recordBytes).toBe(left.fileBytes)
    const current = records(dir, 'blk00001.dat', 0)
    expect(current.fileBytes % (16 << 20)).toBe(0)
    expect(left.recordBytes + current.recordBytes).toBe(growth.blkBytes)
    const undo = records(dir, 'rev00001.dat', 32)
    expect(undo.fileBytes % (1 << 20)).toBe(0)

    const byThree = join(tmp.path, 'by three threads')
    expect(await makeNodeData(byThree, { seed: 1, bytes: 165e6, threads: 3 })).toEqual(growth)
    expect(digests(byThree)).toEqual(digests(dir))
  })

  test('is the same for the same seed, and grows by the bytes that an hour tells', async () => {
    await using tmp = await temporaryDirectory()
    const [one, other] = [join(tmp.path, 'one'), join(tmp.path, 'other')]
    await makeNodeData(one, { seed: 5, bytes: 10e6, threads: 1 })
    await makeNodeData(other, { seed: 5, bytes: 10e6, threads: 2 })
    const before = records(one, 'blk00000.dat', 0).recordBytes
    const growth = await advanceHour(one)
    expect(await advanceHour(other)).toEqual(growth)
    for (const file of ['blocks/blk00000.dat', 'blocks/rev00000.dat', 'blocks/xor.dat', 'node-data.json']) {
      expect(readFileSync(join(one, file)).equals(readFileSync(join(other, file)))).toBe(true)
    }
    expect(await coins(one)).toEqual(await coins(other))
    expect(records(one, 'blk00000.dat', 0).recordBytes - before).toBe(growth.blkBytes)
  })

  test('stores plain blocks if asked', async () => {
    await using tmp = await temporaryDirectory()
    const dir = join(tmp.path, 'plain')
    await makeNodeData(dir, { seed: 1, bytes: 3e6, xor: false })
    expect(readFileSync(join(dir, 'blocks/blk00000.dat')).readUInt32LE(0)).toBe(MAGIC)
  })
})

test('small files are the same for the same seed, however many threads make them', async () => {
  await using tmp = await temporaryDirectory()
  const [one, three] = [join(tmp.path, 'one'), join(tmp.path, 'three')]
  await makeSmallFiles(one, 3, 450, 1)
  await makeSmallFiles(three, 3, 450, 3)
  expect(Object.keys(digests(one))).toHaveLength(450)
  expect(digests(three)).toEqual(digests(one))
  expect(new Set(Object.values(digests(one))).size).toBe(450)
})

/** Of all files but LevelDB's, whose background thread has its own pace. */
function digests(dir: string): Record<string, string> {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith('chainstate'))
  return Object.fromEntries(files.map((file) => [file, hash('sha1', readFileSync(join(dir, file)))]))
}

/** Walks the frames of a file; what follows the last must be zeros (as stored, without the key). */
function records(dir: string, name: string, checksumBytes: number): { fileBytes: number; recordBytes: number } {
  const path = join(dir, 'blocks', name)
  const stored = readFileSync(path)
  const plain = Buffer.alloc(stored.length)
  stored.copy(plain)
  obfuscate(plain, readFileSync(join(dir, 'blocks/xor.dat')), 0)
  let at = 0
  while (at + 8 <= plain.length && plain.readUInt32LE(at) === MAGIC)
    at += 8 + plain.readUInt32LE(at + 4) + checksumBytes
  expect(stored.subarray(at).equals(Buffer.alloc(stored.length - at))).toBe(true)
  return { fileBytes: statSync(path).size, recordBytes: at }
}

async function coins(dir: string): Promise<string[]> {
  const db = new Level<string, string>(join(dir, 'chainstate'), { keyEncoding: 'hex', valueEncoding: 'hex' })
  const entries = await db.iterator().all()
  await db.close()
  return entries.map((entry) => entry.join())
}
