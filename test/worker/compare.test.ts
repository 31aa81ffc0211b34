import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { byteStringOf } from '../../src/base/bytes.ts'
import { type CompareResult, runCompare } from '../../src/worker/compare.ts'
import { createTools } from '../../src/worker/tools.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let path: string
beforeEach(async () => {
  tmp = await temporaryDirectory()
  path = join(tmp.path, 'file')
})
afterEach(() => tmp[Symbol.asyncDispose]())

const lengths = [1000, 70_000, 1, 300_000, 16_384]
const chunks = lengths.map((length, i) => seededBytes(i, length))
const ids = Buffer.concat(chunks.map((chunk) => createHash('sha3-256').update(chunk).digest()))
const tools = createTools()

/** Where each chunk begins, if they follow one another from `at` on. */
const offsetsFrom = (at: number): number[] => lengths.map((length) => (at += length) - length)

const compare = (offset = 0): Promise<CompareResult> =>
  runCompare({ path: byteStringOf(path), offsets: offsetsFrom(offset), ids, lengths }, tools)

test('finds all of what is there', async () => {
  writeFileSync(path, Buffer.concat(chunks))
  expect(await compare()).toEqual({ same: Uint8Array.of(1, 1, 1, 1, 1) })
})

test('begins where it is told to', async () => {
  writeFileSync(path, Buffer.concat([Buffer.alloc(333), ...chunks, Buffer.alloc(9)]))
  expect(await compare(333)).toEqual({ same: Uint8Array.of(1, 1, 1, 1, 1) })
  expect(await compare(332)).toEqual({ same: new Uint8Array(5) })
})

test('chunks may lie apart', async () => {
  const gaps = [5, 0, 70_000, 0, 1]
  writeFileSync(path, Buffer.concat(chunks.flatMap((chunk, i) => [Buffer.alloc(gaps[i]!, 7), chunk])))
  let gap = 0
  const offsets = offsetsFrom(0).map((offset, i) => offset + (gap += gaps[i]!))
  const task = { path: byteStringOf(path), offsets, ids, lengths }
  expect(await runCompare(task, tools)).toEqual({ same: Uint8Array.of(1, 1, 1, 1, 1) })
  truncateSync(path, offsets[3]! + 299_999)
  expect((await runCompare(task, tools)).same).toEqual(Uint8Array.of(1, 1, 1, 0, 0))
  for (const [i, at] of offsets.entries()) {
    const others = { ...task, offsets: offsets.with(i, at + 1) }
    expect((await runCompare(others, tools)).same[i]).toBe(0)
  }
})

test('one changed byte spoils its chunk and no other', async () => {
  const bytes = Buffer.concat(chunks)
  for (const [i, at] of [0, 1000, 71_000, 71_001, bytes.length - 1].entries()) {
    bytes[at]! ^= 0x80
    writeFileSync(path, bytes)
    bytes[at]! ^= 0x80
    expect((await compare()).same).toEqual(Uint8Array.from(lengths, (_, n) => (n === i ? 0 : 1)))
  }
})

test('a file that ends early holds what is before its end', async () => {
  writeFileSync(path, Buffer.concat(chunks).subarray(0, 71_001 + 299_999))
  expect(await compare()).toEqual({ same: Uint8Array.of(1, 1, 1, 0, 0) })
  writeFileSync(path, '')
  expect(await compare()).toEqual({ same: new Uint8Array(5) })
})

test.each<[string, () => void, string]>([
  ['a missing file', () => {}, 'no such file or directory'],
  ['a directory', () => mkdirSync(path), 'it is a directory'],
  ['a FIFO', () => execFileSync('mkfifo', [path]), 'invalid seek'],
  ['a link to the very bytes', () => linkToChunks(), 'a symbolic link is in the way'],
])('%s holds nothing, and why is told', async (_, make, reason) => {
  make()
  const { same, failure } = await compare()
  expect(same).toEqual(new Uint8Array(5))
  expect(failure?.message).toContain(reason)
  expect(failure?.message).toContain(`cannot read ${path}`)
})

function linkToChunks(): void {
  writeFileSync(join(tmp.path, 'chunks'), Buffer.concat(chunks))
  symlinkSync('chunks', path)
}
