import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ObjectId, parseObjectId } from '../../src/base/ids.ts'
import { isKnownWhole, rememberPacks, vanishedPacks } from '../../src/repository/known-packs.ts'
import { createRepository, openTestRepository } from '../helpers/repository.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

const TREE = parseObjectId('7e'.repeat(32))

let tmp: TemporaryDirectory
beforeEach(async () => {
  tmp = await temporaryDirectory()
  await createRepository(tmp.path)
})
afterEach(() => tmp[Symbol.asyncDispose]())

test('packs that were seen and are gone are noticed, new ones are not', async () => {
  await using repository = await openTestRepository(tmp.path)
  expect(await vanishedPacks(repository)).toEqual([]) // nothing is known yet
  const [first, second, third] = ['1', '2', '3'].map((digit) => digit.repeat(64)) as [string, string, string]
  await repository.backend.put('data', first, [new Uint8Array(1)])
  await repository.backend.put('meta', second, [new Uint8Array(1)])
  await rememberPacks(repository, [])
  expect(await vanishedPacks(repository)).toEqual([])
  await repository.backend.put('data', third, [new Uint8Array(1)])
  expect(await vanishedPacks(repository)).toEqual([])
  await repository.backend.remove('meta', second)
  expect(await vanishedPacks(repository)).toEqual([second])
  await rememberPacks(repository, [])
  expect(await vanishedPacks(repository)).toEqual([])
})

test('a tree that was whole is so until a pack is gone; then each must be looked at again', async () => {
  await using repository = await openTestRepository(tmp.path)
  const [one, two, three] = ['a1', 'b2', 'c3'].map((digits) => parseObjectId(digits.repeat(32))) as [
    ObjectId,
    ObjectId,
    ObjectId,
  ]
  const known = async (): Promise<boolean[]> =>
    Promise.all([one, two, three].map((tree) => isKnownWhole(repository, tree)))
  const packs = ['1', '2', '3', '4'].map((digit) => digit.repeat(64))
  for (const pack of packs) await repository.backend.put('data', pack, [new Uint8Array(1)])
  expect(await known()).toEqual([false, false, false])
  await rememberPacks(repository, [one], { unlessGone: true })
  await rememberPacks(repository, [two], { unlessGone: true })
  expect(await known()).toEqual([true, true, false])
  await repository.backend.remove('data', packs[0]!)
  expect(await known()).toEqual([false, false, false])
  await rememberPacks(repository, [one]) // was looked at
  expect(await known()).toEqual([true, false, false])
  await rememberPacks(repository, [two], { unlessGone: true })
  expect(await known()).toEqual([true, true, false])
  await repository.backend.remove('data', packs[1]!)
  await rememberPacks(repository, [three], { unlessGone: true }) // gone while that was made
  expect(await known()).toEqual([false, false, false])
})

test('of many trees the latest are known', async () => {
  await using repository = await openTestRepository(tmp.path)
  const trees = Array.from({ length: 1500 }, (_, i) => parseObjectId(i.toString(16).padStart(64, '0')))
  await rememberPacks(repository, trees.slice(0, 1499))
  await rememberPacks(repository, [TREE])
  expect(await isKnownWhole(repository, trees[1498]!)).toBe(true)
  expect(await isKnownWhole(repository, TREE)).toBe(true)
  expect(await isKnownWhole(repository, trees[0]!)).toBe(false)
})

test('a damaged or missing list knows nothing; one that cannot be written is no failure', async () => {
  await using repository = await openTestRepository(tmp.path)
  await repository.backend.put('data', 'a'.repeat(64), [new Uint8Array(1)])
  await rememberPacks(repository, [TREE])
  expect(await isKnownWhole(repository, TREE)).toBe(true)
  await repository.backend.remove('data', 'a'.repeat(64))
  const file = join(repository.cacheDirectory, 'packs')
  const bytes = readFileSync(file)
  for (const damaged of [bytes.subarray(1), Buffer.alloc(0), Buffer.from(bytes).fill(1, 3, 4)]) {
    writeFileSync(file, damaged)
    expect(await vanishedPacks(repository)).toEqual([])
    expect(await isKnownWhole(repository, TREE)).toBe(false)
  }
  rmSync(join(tmp.path, 'cache'), { recursive: true })
  writeFileSync(join(tmp.path, 'cache'), 'a file in the way')
  await rememberPacks(repository, [])
  expect(readdirSync(tmp.path)).toContain('cache')
})
