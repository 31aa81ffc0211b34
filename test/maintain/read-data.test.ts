import { describe, expect, test } from 'vitest'
import { packIdAt } from '../../src/base/ids.ts'
import { choosePacks } from '../../src/maintain/read-data.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const packs = Array.from({ length: 200 }, (_, i) => ({ id: packIdAt(seededBytes(i, 32)), bytes: 1000 + i }))
const total = packs.reduce((sum, { bytes }) => sum + bytes, 0)
const bytesOf = (chosen: typeof packs): number => chosen.reduce((sum, { bytes }) => sum + bytes, 0)

test('all', () => {
  expect(choosePacks(packs, 'all')).toEqual(packs)
})

describe('parts', () => {
  test('are all packs together, each once', () => {
    const parts = [1, 2, 3, 4, 5, 6, 7].flatMap((part) => choosePacks(packs, { part, of: 7 }))
    expect(parts.map(({ id }) => id).sort()).toEqual(packs.map(({ id }) => id).sort())
  })

  test('are of similar size, and stay the same when other packs come', () => {
    const part = choosePacks(packs, { part: 2, of: 4 })
    expect(part.length).toBeGreaterThan(30)
    expect(part.length).toBeLessThan(70)
    expect(choosePacks(packs.slice(100), { part: 2, of: 4 })).toEqual(part.filter((pack) => packs.indexOf(pack) >= 100))
  })

  test.each([
    [0, 4],
    [5, 4],
    [1.5, 4],
    [1, 0],
  ])('%d of %d is a mistake of the program', (part, of) => {
    expect(() => choosePacks(packs, { part, of })).toThrow(RangeError)
  })
})

describe('chance', () => {
  test('chooses as many packs as are needed for a share, or for bytes', () => {
    for (const [readData, wanted] of [
      [{ share: 0.25, seed: 'a' }, total / 4],
      [{ bytes: 50_000, seed: 'a' }, 50_000],
    ] as const) {
      const chosen = choosePacks(packs, readData)
      expect(bytesOf(chosen)).toBeGreaterThanOrEqual(wanted)
      expect(bytesOf(chosen)).toBeLessThan(wanted + 1200)
    }
  })

  test('depends on the seed alone', () => {
    const choose = (seed: string) => choosePacks(packs, { share: 0.1, seed })
    expect(choose('monday')).toEqual(choose('monday'))
    expect(choose('monday')).not.toEqual(choose('tuesday'))
  })

  test('comes to all and to nothing', () => {
    expect(choosePacks(packs, { share: 1, seed: 'a' })).toHaveLength(packs.length)
    expect(choosePacks(packs, { bytes: Number.MAX_SAFE_INTEGER, seed: 'a' })).toHaveLength(packs.length)
    expect(choosePacks(packs, { bytes: 0, seed: 'a' })).toEqual([])
    expect(choosePacks([], { share: 0.5, seed: 'a' })).toEqual([])
  })
})
