import { describe, expect, test } from 'vitest'
import { recordLength } from '../../src/format/object.ts'
import { createTools } from '../../src/worker/tools.ts'
import { openObjects, runVerify, type VerifyTask } from '../../src/worker/verify.ts'
import { packOf } from '../helpers/records.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const tools = createTools()
const raw = seededBytes('raw', 150)
const packed = Buffer.from('compressible '.repeat(60))
const task = packOf([raw, packed, seededBytes('third', 80)])

const withBytes = (change: (bytes: Uint8Array) => Uint8Array): VerifyTask => ({
  ...task,
  bytes: change(Uint8Array.from(task.bytes)),
})

test('finds nothing wrong with what is right', async () => {
  expect(task.objects.map(({ codec }) => codec)).toEqual([0, 1, 0])
  expect(await runVerify(task, tools)).toEqual({ failures: [] })
})

test('finds every flipped bit, and names the object it is in', async () => {
  for (const [object, { offset, ...header }] of task.objects.entries())
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
  const last = task.objects[2]!
  for (let length = last.offset - task.offset; length < task.bytes.length; length++) {
    const { failures } = await runVerify(
      withBytes((bytes) => bytes.subarray(0, length)),
      tools,
    )
    expect(failures, `${length} bytes`).toMatchObject([{ object: 2, code: 'TRUNCATED' }])
  }
})

describe('what the index says is not believed:', () => {
  const [first, second] = task.objects as [VerifyTask['objects'][number], VerifyTask['objects'][number]]
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
    const { failures } = await runVerify({ ...task, objects: [{ ...first, ...wrong }, second] }, tools)
    expect(failures).toMatchObject([{ object: 0 }])
  })
})

test('shows the plain bytes while the call lasts, and gives its buffers back', () => {
  const seen: Buffer[] = []
  expect(openObjects(task, tools, (_, plain) => seen.push(Buffer.from(plain)))).toEqual([])
  expect(seen[0]!.equals(raw)).toBe(true)
  expect(seen[1]!.equals(packed)).toBe(true)
  const buffer = tools.borrow(1)
  tools.giveBack(buffer)
  openObjects(task, tools, (_, plain) => expect(plain.buffer).toBe(buffer.buffer))
  expect(tools.borrow(1)).toBe(buffer)
})

test('what is no failure of the object is thrown on', () => {
  const mistake = new TypeError('a mistake')
  expect(() =>
    openObjects(task, tools, () => {
      throw mistake
    }),
  ).toThrow(mistake)
})

test('more than are opened at a time, of all lengths', () => {
  const content = Array.from({ length: 200 }, (_, i) => seededBytes(i, 1 + ((i * 7919) % 60_000)))
  const many = packOf(content)
  const objects = many.objects.map((object, i) => (i % 50 === 49 ? { ...object, id: many.objects[0]!.id } : object))
  const seen: number[] = []
  const failures = openObjects({ ...many, objects }, tools, (object, plain) => {
    expect(Buffer.compare(plain, content[object]!)).toBe(0)
    seen.push(object)
  })
  expect(failures.map(({ object, code }) => `${object} ${code}`)).toEqual([49, 99, 149, 199].map((i) => `${i} CORRUPT`))
  expect(seen).toEqual([...content.keys()].filter((i) => i % 50 !== 49))
})
