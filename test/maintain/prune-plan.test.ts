import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type PackId, parsePackId } from '../../src/base/ids.ts'
import { neededBytes, PACK_OVERHEAD_BYTES, type PackUsage } from '../../src/maintain/pack-usage.ts'
import { type PackStanding, type PrunePolicy, planPrune } from '../../src/maintain/prune-plan.ts'
import { PACK_BYTES } from '../../src/repository/write-session.ts'

const MB = 2 ** 20
const EVERYTHING: PrunePolicy = { maxUnused: { bytes: 0 } }

/** That some packs have. */
const standing = (of: PackStanding, packs: readonly PackUsage[]): Map<PackId, PackStanding> =>
  new Map(packs.map(({ id }) => [id, of]))

let count = 0
/** A pack of objects of 1 MB each, so many of them used. */
function pack(objects: number, usedObjects: number, packClass: PackUsage['packClass'] = 'data'): PackUsage {
  const id = parsePackId((++count).toString(16).padStart(64, '0'))
  const bytes = objects * MB + PACK_OVERHEAD_BYTES
  return { id, packClass, bytes, objects, usedObjects, usedBytes: usedObjects * MB }
}

describe('decides', () => {
  test('that packs of which nothing is used go, and those of which all is used stay', () => {
    const [unused, used] = [pack(30, 0), pack(30, 30)]
    const plan = planPrune([unused, used], EVERYTHING)
    expect(plan).toMatchObject({ remove: [unused], keep: [used], rewrite: [] })
    expect(plan.totals).toEqual({
      packs: 2,
      objects: 60,
      usedObjects: 30,
      bytes: 60 * MB + 160,
      usedBytes: 30 * MB + 80,
      unusedBytes: 30 * MB + 80,
      freedBytes: 30 * MB + 80,
      freedObjects: 30,
      unusedBytesLeft: 0,
      sparedBytes: 0,
      waitingBytes: 0,
      waitingPacks: 0,
      sparedPacks: 0,
      rewrittenBytes: 0,
      packsLeft: 1,
      bytesLeft: 30 * MB + 80,
    })
  })

  test('that the most wasteful are rewritten first, and no more of them than needed', () => {
    const [little, much, some] = [pack(30, 29), pack(30, 10), pack(30, 20)]
    const plan = planPrune([little, much, some], { maxUnused: { bytes: 11 * MB } })
    expect(plan.rewrite).toEqual([{ packClass: 'data', packs: [much], newBytes: 10 * MB + 80 }])
    expect(plan.keep).toEqual([little, some])
    expect(plan.totals).toMatchObject({ freedBytes: 20 * MB, unusedBytesLeft: 11 * MB, rewrittenBytes: 10 * MB })
  })

  test('by a share of what is left', () => {
    const packs = Array.from({ length: 10 }, () => pack(100, 90))
    expect(planPrune(packs, { maxUnused: { share: 0.1 } }).rewrite).toEqual([])
    expect(planPrune(packs, { maxUnused: { share: 0.05 } }).rewrite.flatMap(({ packs }) => packs)).toHaveLength(6)
    expect(planPrune(packs, { maxUnused: { share: 1 } }).rewrite).toEqual([])
  })

  test('that nothing is rewritten for space if all may stay', () => {
    expect(planPrune([pack(30, 1), pack(30, 0)], { maxUnused: 'unlimited' })).toMatchObject({
      rewrite: [],
      remove: [{}],
    })
  })

  test('that wasteful metadata is rewritten anyway', () => {
    const [wasteful, fine] = [pack(6, 3, 'meta'), pack(100, 95, 'meta')]
    const plan = planPrune([wasteful, fine, pack(30, 30)], { maxUnused: { share: 0.9 } })
    expect(plan.rewrite).toEqual([{ packClass: 'meta', packs: [wasteful], newBytes: 3 * MB + 80 }])
  })

  test('that many small packs are merged, class by class, into packs of the usual length', () => {
    const data = Array.from({ length: 20 }, () => pack(7, 7))
    const meta = Array.from({ length: 15 }, () => pack(1, 1, 'meta'))
    const plan = planPrune([...data, ...meta], EVERYTHING)
    expect(plan.keep).toEqual(meta)
    expect(plan.rewrite.map(({ packs }) => packs.length)).toEqual([4, 4, 4, 4, 4])
    expect(plan.totals.freedBytes).toBe(15 * PACK_OVERHEAD_BYTES)
  })

  test('that a small pack that would be rewritten alone stays as it is', () => {
    const small = Array.from({ length: 17 }, () => pack(7, 7))
    const plan = planPrune(small, EVERYTHING)
    expect(plan.keep).toEqual([small[16]])
  })

  test('that spared packs stay, unused, wasteful and small ones alike', () => {
    const [unused, wasteful, whole] = [pack(30, 0), pack(30, 10), pack(30, 30)]
    const small = Array.from({ length: 16 }, () => pack(7, 7))
    const packs = [unused, wasteful, whole, ...small]
    const plan = planPrune(packs, EVERYTHING, standing('spared', packs))
    expect(plan).toMatchObject({ remove: [], rewrite: [], keep: packs })
    const spared = { sparedPacks: 2, sparedBytes: 50 * MB + PACK_OVERHEAD_BYTES }
    expect(plan.totals).toMatchObject({ ...spared, unusedBytesLeft: spared.sparedBytes, freedBytes: 0, packsLeft: 19 })
  })

  test('that the others go as if the spared were not there', () => {
    const [unused, wasteful, some] = [pack(30, 0), pack(30, 10), pack(30, 20)]
    const [youngUnused, youngWasteful] = [pack(30, 0), pack(30, 1)]
    const spared = standing('spared', [youngUnused, youngWasteful])
    const policy: PrunePolicy = { maxUnused: { bytes: 11 * MB } }
    const plan = planPrune([unused, youngUnused, wasteful, youngWasteful, some], policy, spared)
    expect(plan.remove).toEqual([unused])
    expect(plan.rewrite.map(({ packs }) => packs)).toEqual([[wasteful]])
    expect(plan.keep).toEqual([youngUnused, youngWasteful, some])
    expect(plan.totals).toMatchObject({ sparedPacks: 2, sparedBytes: 59 * MB + PACK_OVERHEAD_BYTES })
  })

  test('that what was condemned goes when its time has come, and stays as it is until then', () => {
    const [waiting, usedWaiting, due] = [pack(30, 0), pack(30, 10), pack(30, 0)]
    const standings = new Map([...standing('waiting', [waiting, usedWaiting]), ...standing('due', [due])])
    const plan = planPrune([waiting, usedWaiting, due], EVERYTHING, standings)
    expect(plan).toMatchObject({ remove: [], rewrite: [], keep: [], waiting: [waiting, usedWaiting], due: [due] })
    expect(plan.totals).toMatchObject({
      freedBytes: due.bytes,
      freedObjects: 30,
      waitingPacks: 2,
      waitingBytes: waiting.bytes + usedWaiting.bytes,
      unusedBytesLeft: 0,
      bytesLeft: waiting.bytes + usedWaiting.bytes,
      packsLeft: 2,
    })
  })

  test('that what was condemned and is needed stays, unless it is sentenced: then that is copied', () => {
    const [due, sentenced, gone] = [pack(30, 10), pack(30, 30), pack(30, 0)]
    const standings = new Map([...standing('due', [due]), ...standing('sentenced', [sentenced, gone])])
    const plan = planPrune([due, sentenced, gone], EVERYTHING, standings)
    expect(plan).toMatchObject({ remove: [], due: [gone], keep: [due], waiting: [] })
    expect(plan.rewrite.map(({ packs }) => packs)).toEqual([[sentenced]])
    expect(plan.totals.freedBytes).toBe(gone.bytes)
  })
})

const STANDINGS: readonly PackStanding[] = ['spared', 'waiting', 'due', 'sentenced']

test('adds up, and leaves no more unused than allowed', () => {
  const packs = fc.array(
    fc
      .tuple(fc.integer({ min: 1, max: 40 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean())
      .map(([objects, share, isData]) => pack(objects, Math.round(objects * share), isData ? 'data' : 'meta')),
    { maxLength: 60 },
  )
  const sum = (items: readonly PackUsage[], of: (pack: PackUsage) => number): number =>
    items.reduce((total, item) => total + of(item), 0)
  fc.assert(
    fc.property(packs, fc.nat(60 * MB), fc.nat(5), (packs, allowed, nth) => {
      const standings = new Map(
        packs.flatMap(({ id }, i) => (i % 6 < nth ? [[id, STANDINGS[i % STANDINGS.length]!] as const] : [])),
      )
      const { remove, rewrite, due, waiting, keep, totals } = planPrune(
        packs,
        { maxUnused: { bytes: allowed } },
        standings,
      )
      const rewritten = rewrite.flatMap((group) => group.packs)
      const all = [...remove, ...rewritten, ...due, ...waiting, ...keep].map(({ id }) => id)
      expect(all.sort()).toEqual(packs.map(({ id }) => id).sort())
      expect([...remove, ...due].every(({ usedObjects }) => usedObjects === 0)).toBe(true)
      expect(remove.filter(({ id }) => standings.has(id))).toEqual([])
      expect(rewritten.filter(({ id }) => !['sentenced', undefined].includes(standings.get(id)))).toEqual([])
      const restored = keep.filter(({ id }) => standings.get(id) === 'due')
      const unusedRestored = sum(restored, (pack) => pack.bytes - neededBytes(pack))
      expect(totals.unusedBytesLeft - totals.sparedBytes - unusedRestored).toBeLessThanOrEqual(allowed)
      expect(totals.unusedBytesLeft).toBe(sum(keep, (pack) => pack.bytes - neededBytes(pack)))
      expect(totals.bytes - totals.freedBytes).toBe(totals.bytesLeft)
      expect(totals.usedBytes + totals.unusedBytes).toBe(totals.bytes)
      for (const { packs, newBytes, packClass } of rewrite) {
        expect(newBytes).toBe(sum(packs, (pack) => pack.usedBytes) + PACK_OVERHEAD_BYTES)
        if (packs.length > 1) expect(newBytes).toBeLessThanOrEqual(PACK_BYTES[packClass] + PACK_OVERHEAD_BYTES)
        expect(sum(packs, (pack) => pack.bytes)).toBeGreaterThanOrEqual(newBytes)
        if (packs.every(({ id }) => !standings.has(id)))
          expect(sum(packs, (pack) => pack.bytes)).toBeGreaterThan(newBytes)
      }
    }),
  )
})
