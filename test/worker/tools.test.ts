import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { DEFAULT_CUT_PARAMETERS } from '../../src/chunker/fastcdc.ts'
import { createTools } from '../../src/worker/tools.ts'

test('what is dear to make is made once for each kind', () => {
  const tools = createTools()
  expect(tools.findCuts({ ...DEFAULT_CUT_PARAMETERS })).toBe(tools.findCuts(DEFAULT_CUT_PARAMETERS))
  expect(tools.findCuts({ ...DEFAULT_CUT_PARAMETERS, level: 2 })).not.toBe(tools.findCuts(DEFAULT_CUT_PARAMETERS))
})

test('ids of zeros', () => {
  const tools = createTools()
  for (const length of [1, 16_384, 262_144])
    expect(Buffer.from(tools.zerosId(length))).toEqual(createHash('sha3-256').update(Buffer.alloc(length)).digest())
  expect(tools.zerosId(16_384)).toBe(tools.zerosId(16_384))
})

test('a buffer is lent to one at a time, and again when it comes back', () => {
  const tools = createTools()
  const first = tools.borrow(10)
  const second = tools.borrow(10)
  expect(second === first).toBe(false)
  tools.giveBack(first)
  expect(tools.borrow(first.length) === first, 'it serves longer ones, too').toBe(true)
  tools.giveBack(second)
  const large = tools.borrow(second.length + 1)
  expect(large === second).toBe(false)
  expect(large.length).toBeGreaterThan(second.length)
  expect(first.buffer.byteLength, 'memory of its own, not of the pool').toBe(first.length)
})

test('a buffer serves what is a little longer than what it was made for', () => {
  const tools = createTools()
  const buffer = tools.borrow(3_900_000)
  tools.giveBack(buffer)
  expect(tools.borrow(4_100_000)).toBe(buffer)
})

test('of more buffers than are kept, the largest are', () => {
  const tools = createTools()
  const small = Array.from({ length: 6 }, () => tools.borrow(1000))
  const large = tools.borrow(4_000_000)
  for (const buffer of [...small, large]) tools.giveBack(buffer)
  expect(tools.borrow(4_000_000)).toBe(large)
})

test('as many buffers are kept as two tasks that cut need, and no more', () => {
  const tools = createTools()
  const lent = Array.from({ length: 20 }, () => tools.borrow(1000))
  for (const buffer of lent) tools.giveBack(buffer)
  const again = Array.from({ length: 20 }, () => tools.borrow(1000))
  const kept = again.filter((buffer) => lent.includes(buffer))
  expect(new Set(kept).size).toBe(kept.length)
  expect(kept).toHaveLength(6)
})

test('what is lent to other threads, too, is a stock of its own', () => {
  const tools = createTools()
  const shared = tools.borrowShared(10)
  expect(shared.buffer).toBeInstanceOf(SharedArrayBuffer)
  tools.giveBackShared(shared)
  expect(tools.borrow(10).buffer).toBeInstanceOf(ArrayBuffer)
  expect(tools.borrowShared(10) === shared).toBe(true)
})
