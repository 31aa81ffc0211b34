import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Batches, begun } from '../../src/backup/batches.ts'

const LIMITS = { items: 3, weight: 10, weightOf: (item: number) => item }

function collecting(): { batches: Batches<number, string>; seen: number[][] } {
  const seen: number[][] = []
  const batches = new Batches(LIMITS, async (items: readonly number[]) => {
    seen.push([...items])
    return begun(Promise.resolve(items.map((item) => `<${item}>`)))
  })
  return { batches, seen }
}

test('a batch begins when it has enough items, or they weigh enough, or when asked to', async () => {
  const { batches, seen } = collecting()
  const results: Promise<string>[] = []
  for (const item of [1, 1, 1, 1, 9, 11, 2]) results.push((await batches.add(item)).result)
  expect(seen).toEqual([[1, 1, 1], [1, 9], [11]])
  await batches.flush()
  await batches.flush()
  expect(seen.slice(3)).toEqual([[2]])
  expect(await Promise.all(results)).toEqual(['<1>', '<1>', '<1>', '<1>', '<9>', '<11>', '<2>'])
})

test('whoever adds waits until more may be begun', async () => {
  let open = (): void => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const batches = new Batches(LIMITS, async (items: readonly number[]) => {
    await gate
    return begun(Promise.resolve(items))
  })
  let added = false
  const adding = batches.add(10).then(() => (added = true))
  await setImmediate()
  expect(added).toBe(false)
  open()
  await adding
})

test('a failure comes to each that asks, and disturbs nobody who does not', async () => {
  const error = new Error('bad luck')
  const batches = new Batches(LIMITS, async () => begun<string[]>(Promise.reject(error)))
  const [one] = [await batches.add(1), await batches.add(2)]
  await batches.flush()
  await setImmediate() // an unhandled rejection would be reported by now
  await expect(one.result).rejects.toBe(error)
})
