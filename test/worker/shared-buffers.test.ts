import { expect, test } from 'vitest'
import { SharedBuffers } from '../../src/worker/shared-buffers.ts'

test('buffers are shared memory, long enough, lent again, and to one at a time', async () => {
  const buffers = new SharedBuffers(2, 100)
  const seen: Uint8Array[] = []
  const lent = new Set<Uint8Array>()
  const use = (length: number) =>
    buffers.lend(length, async (buffer) => {
      expect(buffer.buffer).toBeInstanceOf(SharedArrayBuffer)
      expect(buffer.length).toBeGreaterThanOrEqual(length)
      expect(lent.has(buffer)).toBe(false)
      lent.add(buffer)
      expect(lent.size).toBeLessThanOrEqual(2)
      await Promise.resolve()
      lent.delete(buffer)
      seen.push(buffer)
      return length
    })
  expect(await Promise.all([10, 20, 30, 40, 50].map(use))).toEqual([10, 20, 30, 40, 50])
  expect(seen.every(({ length }) => length === 100)).toBe(true)
  expect(new Set(seen).size).toBe(2)
  await use(101)
  expect(seen.at(-1)!.length).toBe(101)
})

test('a failure gives the buffer back', async () => {
  const buffers = new SharedBuffers(1, 10)
  const failure = new Error('no')
  let first: Uint8Array | undefined
  const failing = buffers.lend(1, (buffer) => {
    first = buffer
    throw failure
  })
  await expect(failing).rejects.toBe(failure)
  expect(await buffers.lend(1, async (buffer) => buffer === first)).toBe(true)
})
