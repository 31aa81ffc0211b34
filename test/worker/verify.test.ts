import { describe, expect, test } from 'vitest'
import { hashObject, RECORD_HEADER_BYTES, recordLength, sealObject } from '../../src/format/object.ts'
import { createCompressor } from '../../src/native/compress.ts'
import { type PackedObject, packObjects } from '../../src/worker/packed-objects.ts'
import { createTools } from '../../src/worker/tools.ts'
import { type ObjectFailure, openObjects, runVerify, type VerifyTask } from '../../src/worker/verify.ts'
import { packOf } from '../helpers/records.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const tools = createTools()
const raw = seededBytes('raw', 150)
const packed = Buffer.from('compressible '.repeat(60))
const third = seededBytes('third', 80)
const task = packOf([raw, packed, third])

/** What was opened and is right, by number; and what was not. */
function openAll(from: VerifyTask, checksums: boolean): { plain: Map<number, Buffer>; failures: ObjectFailure[] } {
  const plain = new Map<number, Buffer>()
  const failures: ObjectFailure[] = []
  for (const { first, bytes, ends, failures: failed } of openObjects(from, tools, checksums)) {
    for (const [i, end] of ends.entries()) plain.set(first + i, Buffer.from(bytes.subarray(ends[i - 1] ?? 0, end)))
    for (const { object } of failed) plain.delete(object)
    failures.push(...failed)
  }
  return { plain, failures }
}

const withBytes = (change: (bytes: Uint8Array) => Uint8Array): VerifyTask => ({
  ...task,
  bytes: change(Uint8Array.from(task.bytes)),
})

test('finds nothing wrong with what is right', async () => {
  expect(task.list.map(({ codec }) => codec)).toEqual([0, 1, 0])
  expect(await runVerify(task, tools)).toEqual({ failures: [] })
})

test('finds every flipped bit, and names the object it is in', async () => {
  for (const [object, { offset, ...header }] of task.list.entries())
    for (let i = 0; i < recordLength(header); i++) {
      const damaged = withBytes((bytes) => {
        bytes[offset - task.offset + i]! ^= 1 << (i % 8)
        return bytes
      })
      const { failures } = await runVerify(damaged, tools)
      expect(failures, `byte ${i} of object ${object}`).toEqual([
        { object, code: expect.stringMatching(/^(CORRUPT|BAD_FORMAT|TRUNCATED)$/), message: expect.any(String) },
      ])
      expect(failures[0]!.message).toMatch(/^data\/some-pack: .* at offset \d+/)
    }
})

test('finds what is cut off, at every length', async () => {
  const last = task.list[2]!
  for (let length = last.offset - task.offset; length < task.bytes.length; length++) {
    const { failures } = await runVerify(
      withBytes((bytes) => bytes.subarray(0, length)),
      tools,
    )
    expect(failures, `${length} bytes`).toMatchObject([{ object: 2, code: 'TRUNCATED' }])
  }
})

describe('what the index says is not believed:', () => {
  const [first, second] = task.list as [PackedObject, PackedObject]
  test.each<[string, Partial<typeof first>]>([
    ['another id', { id: second.id }],
    ['another kind', { kind: 'tree' }],
    ['a greater plain length', { plainLength: first.plainLength + 1 }],
    ['a smaller plain length', { plainLength: first.plainLength - 1 }],
    ['a greater stored length', { storedLength: first.storedLength + 1 }],
    ['a smaller stored length', { storedLength: first.storedLength - 1 }],
    ['a place one byte on', { offset: first.offset + 1 }],
    ['a place before the part', { offset: task.offset - 10 }],
    ['a place behind the part', { offset: 2 ** 40 }],
  ])('%s', async (_, wrong) => {
    const { failures } = await runVerify({ ...task, objects: packObjects([{ ...first, ...wrong }, second]) }, tools)
    expect(failures).toMatchObject([{ object: 0 }])
  })
})

test.each([true, false])('opens what is right, wherever its bytes lie, checksums %s', (checksums) => {
  const shared = new Uint8Array(new SharedArrayBuffer(task.bytes.length + 5)).subarray(5)
  shared.set(task.bytes)
  const { plain, failures } = openAll({ ...task, bytes: shared }, checksums)
  expect(failures).toEqual([])
  expect([...plain.values()].map((bytes, i) => bytes.equals([raw, packed, third][i]!))).toEqual([true, true, true])
})

test('without the checksums, what is opened is right all the same, and nothing that is right is lost', () => {
  for (const [object, { offset, ...header }] of task.list.entries())
    for (let i = 0; i < recordLength(header); i++) {
      const damaged = withBytes((bytes) => {
        bytes[offset - task.offset + i]! ^= 1 << (i % 8)
        return bytes
      })
      const { plain, failures } = openAll(damaged, false)
      for (const [opened, bytes] of plain) expect(bytes.equals([raw, packed, third][opened]!)).toBe(true)
      const isChecksum = i >= 24 && i < RECORD_HEADER_BYTES
      if (isChecksum) expect(failures).toEqual([])
      else if (object !== 1 || i < RECORD_HEADER_BYTES) expect(failures).toMatchObject([{ object }]) // zstd has bits without a meaning
    }
})

test('gives its buffer back, also when it is not asked for all', () => {
  const buffer = tools.borrow(1)
  tools.giveBack(buffer)
  for (const batch of openObjects(task, tools, true)) {
    expect(batch.bytes.buffer).toBe(buffer.buffer)
    break
  }
  expect(tools.borrow(1)).toBe(buffer)
  tools.giveBack(buffer)
})

test('more than are opened at a time, of all lengths', () => {
  const content = Array.from({ length: 200 }, (_, i) => seededBytes(i, 1 + ((i * 7919) % 60_000)))
  const many = packOf(content)
  const list = many.list.map((object, i) => (i % 50 === 49 ? { ...object, id: many.list[0]!.id } : object))
  const { plain, failures } = openAll({ ...many, objects: packObjects(list) }, true)
  expect(failures.map(({ object, code }) => `${object} ${code}`)).toEqual([49, 99, 149, 199].map((i) => `${i} CORRUPT`))
  expect([...plain.keys()]).toEqual([...content.keys()].filter((i) => i % 50 !== 49))
  for (const [i, bytes] of plain) expect(bytes.equals(content[i]!)).toBe(true)
})

test('objects of several kinds, in their order', () => {
  const tree = Buffer.from('a tree')
  const id = hashObject('tree', tree)
  const record = Buffer.alloc(RECORD_HEADER_BYTES + tree.length)
  const header = sealObject('tree', id, tree, createCompressor('off'), record, 0)
  const objects = packObjects([...task.list, { ...header, id, offset: task.offset + task.bytes.length }])
  const { plain, failures } = openAll({ ...task, objects, bytes: Buffer.concat([task.bytes, record]) }, true)
  expect(failures).toEqual([])
  expect([...plain.keys()]).toEqual([0, 1, 2, 3])
  expect(plain.get(3)!.equals(tree)).toBe(true)
})
