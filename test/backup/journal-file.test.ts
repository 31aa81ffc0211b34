import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BlockWriter } from '../../src/backup/checked-blocks.ts'
import { JournalReader, JournalWriter, type PartChunks, type ReadPart } from '../../src/backup/journal-file.ts'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { ID_BYTES } from '../../src/base/ids.ts'
import { anyName } from '../helpers/arbitraries.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let file: string
let files = 0
beforeEach(async () => {
  tmp = await temporaryDirectory()
  file = join(tmp.path, 'journal')
})
afterEach(() => tmp[Symbol.asyncDispose]())

function part(path: string, offset = 0, lengths: readonly number[] = [100, 7], signature = 's'): ReadPart {
  const ids = Uint8Array.from(seededBytes(`${path} ${offset} ${signature}`, lengths.length * ID_BYTES))
  return { path: byteStringOf(path), signature, offset, ids, lengths: Uint32Array.from(lengths) }
}

function write(parts: readonly ReadPart[], startMs = 5): void {
  const writer = new JournalWriter(file, startMs)
  for (const each of parts) writer.add(each)
  writer.close()
}

const lengthOf = ({ lengths }: PartChunks): number => lengths.reduce((sum, length) => sum + length, 0)
const chunksOf = ({ ids, lengths }: PartChunks): unknown => ({ ids: Buffer.from(ids), lengths: [...lengths] })

/** Of each of `wanted`, in this order, whether it is found, with the chunks that it has. */
function findAll(wanted: readonly ReadPart[]): boolean[] {
  const reader = new JournalReader(file)
  const found = wanted.map((each) => {
    const chunks = reader.find(each.path, each.signature, each.offset, lengthOf(each))
    if (chunks) expect(chunksOf(chunks)).toEqual(chunksOf(each))
    return chunks !== undefined
  })
  reader.close()
  return found
}

/** In the order of the walk. */
const PARTS = [
  part('/a'),
  part('/b/large', 0, [64, 36]),
  part('/b/large', 100, [1]),
  part('/b/large', 101, new Array(300).fill(5)),
  part('/b/z'),
  part('/b.x'),
  part('/b.x.y', 50),
  part('/ba', 0, [1], '1:2:3:4:5'),
  part('/\u00e9'),
]

test('all that was written is found, by whoever goes the same way', () => {
  write(PARTS)
  expect(findAll(PARTS)).toEqual(PARTS.map(() => true))
  const reader = new JournalReader(file)
  expect(reader.startMs).toBe(5)
  reader.close()
})

test('or another way, as far as it is the same', () => {
  write(PARTS)
  for (let skipped = 0; skipped < PARTS.length; skipped++)
    expect(findAll(PARTS.filter((_, i) => i !== skipped))).toEqual(PARTS.slice(1).map(() => true))
  const others = [
    part('/0'),
    PARTS[0]!,
    part('/a/b'),
    PARTS[1]!,
    part('/b/large', 50),
    PARTS[2]!,
    part('/b/largest'),
    PARTS[8]!,
  ]
  expect(findAll(others)).toEqual(others.map((each) => PARTS.includes(each)))
})

test('a part of another signature, place or length is not', () => {
  const [known] = [part('/f', 10, [5, 6], 'now')]
  write([known])
  expect(findAll([known])).toEqual([true])
  expect(findAll([{ ...known, signature: 'no' }])).toEqual([false])
  expect(findAll([{ ...known, offset: 9 }])).toEqual([false])
  expect(findAll([{ ...known, lengths: Uint32Array.of(5, 7) }])).toEqual([false])
  expect(findAll([{ ...known, path: '/g' as ByteString }])).toEqual([false])
})

test('of a file that was read twice, the later is found, too', () => {
  const parts = [part('/f', 0, [5], 'old'), part('/f', 0, [6], 'new'), part('/g')]
  write(parts)
  expect(findAll(parts.slice(1))).toEqual([true, true])
})

test('any paths, in the order in which names are walked', () => {
  const anyPath = fc.array(anyName, { minLength: 1, maxLength: 4 })
  const walkOrder = (a: readonly string[], b: readonly string[]): number => {
    const i = a.findIndex((name, at) => name !== b[at])
    if (i === -1) return a.length - b.length
    return b[i] === undefined || a[i]! > b[i]! ? 1 : -1
  }
  fc.assert(
    fc.property(fc.array(anyPath, { maxLength: 20 }), (paths) => {
      file = join(tmp.path, `journal${files++}`)
      const unique = [...new Map(paths.map((names) => [names.join('/'), names])).values()].sort(walkOrder)
      const parts = unique.map((names) => ({ ...part('/'), path: `/${names.join('/')}` as ByteString }))
      write(parts)
      expect(findAll(parts)).toEqual(parts.map(() => true))
    }),
  )
})

test('what a killed process has left ends with its last whole block', () => {
  const parts = Array.from({ length: 200 }, (_, i) => part(`/${1000 + i}`, 0, [1, 2, 3]))
  write(parts)
  const { size } = statSync(file)
  let least = parts.length
  for (let length = size; length >= 0; length -= 3001) {
    truncateSync(file, length)
    const found = findAll(parts)
    const count = found.filter(Boolean).length
    expect(found).toEqual(parts.map((_, i) => i < count))
    expect(count).toBeGreaterThanOrEqual(Math.floor(((length - 5000) / size) * parts.length))
    least = Math.min(least, count)
  }
  expect(least).toBe(0)
})

test('damage ends it', () => {
  const parts = Array.from({ length: 100 }, (_, i) => part(`/${1000 + i}`, 0, [1, 2, 3]))
  write(parts)
  const sound = readFileSync(file)
  for (let at = 0; at < sound.length; at += 501) {
    const damaged = Buffer.from(sound)
    damaged[at]! ^= 1
    writeFileSync(file, damaged)
    const found = findAll(parts)
    expect(found.at(-1)).toBe(false)
    expect(found).toEqual(found.toSorted((a, b) => Number(b) - Number(a)))
  }
})

test('another file is no journal', () => {
  writeFileSync(file, 'some text')
  expect(new JournalReader(file).startMs).toBeUndefined()
  expect(findAll(PARTS)).toEqual(PARTS.map(() => false))
  expect(() => new JournalReader(join(tmp.path, 'missing'))).toThrow('ENOENT')
})

test('numbers that nobody wrote end it, under sound checksums, too', () => {
  const record = Buffer.concat([Buffer.from('P'), u32(2), Buffer.from('/f'), Buffer.of(1), Buffer.from('s')])
  const header = Buffer.from([0x4a, 1, 5, 0, 0, 0, 0, 0, 0, 0])
  for (const numbers of [
    Buffer.concat([Buffer.alloc(8, 0xff), u32(1)]),
    Buffer.concat([Buffer.alloc(8), u32(2 ** 32 - 1)]),
  ]) {
    const blocks = new BlockWriter(file, 100)
    blocks.push(Buffer.concat([header, record, numbers, Buffer.alloc(ID_BYTES), u32(100)]))
    blocks.close()
    expect(findAll([part('/f', 0, [100])])).toEqual([false])
    rmSync(file)
  }
})

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
