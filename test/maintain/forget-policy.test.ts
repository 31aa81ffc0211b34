import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { byteStringOf } from '../../src/base/bytes.ts'
import { type ObjectId, parseSnapshotId } from '../../src/base/ids.ts'
import { formatTime } from '../../src/base/local-time.ts'
import { parseDuration } from '../../src/maintain/duration.ts'
import { type ForgetGroup, type ForgetPolicy, planForget, UNLIMITED } from '../../src/maintain/forget-policy.ts'
import type { StoredSnapshot } from '../../src/repository/snapshots.ts'
import { snapshotOf } from '../helpers/store-tree.ts'

const NOW = Date.parse('2026-07-01T00:00:00Z')

let count = 0
function at(time: string | number, fields: Partial<StoredSnapshot['snapshot']> = {}): StoredSnapshot {
  const timeMs = typeof time === 'number' ? time : Date.parse(time)
  const id = parseSnapshotId((++count).toString(16).padStart(64, '0'))
  return { id, snapshot: { ...snapshotOf('00' as ObjectId), timeMs, ...fields } }
}

/** Time and reasons of what is kept, of one group. */
function kept(snapshots: readonly StoredSnapshot[], policy: ForgetPolicy): [string, ...string[]][] {
  const groups = planForget(snapshots, policy, { groupBy: [], nowMs: NOW })
  expect(groups).toHaveLength(1)
  return groups[0]!.keep.map(({ snapshot, reasons }) => [
    new Date(snapshot.timeMs).toISOString().replace(':00.000Z', ''),
    ...reasons,
  ])
}

describe('rules', () => {
  const hours = [
    '2026-06-28T22:10Z',
    '2026-06-28T22:50Z',
    '2026-06-28T23:30Z',
    '2026-06-29T00:10Z',
    '2026-06-29T00:20Z',
  ].map((time) => at(time))

  test('the last', () => {
    expect(kept(hours, { last: 2 })).toEqual([
      ['2026-06-29T00:10', 'last snapshot'],
      ['2026-06-29T00:20', 'last snapshot'],
    ])
  })

  test('the latest of each hour', () => {
    expect(kept(hours, { hourly: 2 })).toEqual([
      ['2026-06-28T23:30', 'hourly snapshot'],
      ['2026-06-29T00:20', 'hourly snapshot'],
    ])
  })

  test('the oldest, while hours are still wanted: the history is as long as it can be', () => {
    expect(kept(hours, { hourly: 4 })).toEqual([
      ['2026-06-28T22:10', 'oldest hourly snapshot'],
      ['2026-06-28T22:50', 'hourly snapshot'],
      ['2026-06-28T23:30', 'hourly snapshot'],
      ['2026-06-29T00:20', 'hourly snapshot'],
    ])
  })

  test('days, weeks from Monday, months and years of UTC', () => {
    const snapshots = [
      at('2024-12-31T23:59Z'),
      at('2025-12-31T23:59Z'), // a Wednesday, in the same ISO week as the next
      at('2026-01-01T00:00Z'),
      at('2026-01-04T12:00Z'), // Sunday
      at('2026-01-05T12:00Z'), // Monday
      at('2026-01-05T13:00Z'),
    ]
    expect(kept(snapshots, { daily: 2 })).toEqual([
      ['2026-01-04T12:00', 'daily snapshot'],
      ['2026-01-05T13:00', 'daily snapshot'],
    ])
    expect(kept(snapshots, { weekly: 3 })).toEqual([
      ['2024-12-31T23:59', 'weekly snapshot'],
      ['2026-01-04T12:00', 'weekly snapshot'],
      ['2026-01-05T13:00', 'weekly snapshot'],
    ])
    expect(kept(snapshots, { monthly: 2, yearly: 2 })).toEqual([
      ['2025-12-31T23:59', 'monthly snapshot', 'yearly snapshot'],
      ['2026-01-05T13:00', 'monthly snapshot', 'yearly snapshot'],
    ])
  })

  test('times before 1970', () => {
    const snapshots = [at('1969-12-28T12:00Z'), at('1969-12-29T12:00Z'), at('1970-01-04T12:00Z')]
    expect(kept(snapshots, { weekly: 1 })).toEqual([['1970-01-04T12:00', 'weekly snapshot']])
    expect(kept(snapshots, { weekly: UNLIMITED }).map(([time]) => time)).toEqual([
      '1969-12-28T12:00',
      '1970-01-04T12:00',
    ])
  })

  test('everything within a time before the latest, not before now', () => {
    const snapshots = [at('2026-05-24T12:00Z'), at('2026-05-25T12:01Z'), at('2026-06-01T12:00Z')]
    expect(kept(snapshots, { within: parseDuration('7d') })).toEqual([
      ['2026-05-25T12:01', 'within 7d'],
      ['2026-06-01T12:00', 'within 7d'],
    ])
  })

  test('tags: all of any of the sets', () => {
    const snapshots = [
      at('2026-01-01T00:00Z', { tags: ['a'] }),
      at('2026-01-02T00:00Z', { tags: ['a', 'b'] }),
      at('2026-01-03T00:00Z', { tags: ['c'] }),
    ]
    expect(kept(snapshots, { tags: [['a', 'b'], ['c']] })).toEqual([
      ['2026-01-02T00:00', 'has tags a, b'],
      ['2026-01-03T00:00', 'has tags c'],
    ])
  })

  test('two forms of one snapshot count as one, and stay or go together: one of them is about to be removed', () => {
    const [first, second, third] = hours.slice(0, 3) as [StoredSnapshot, StoredSnapshot, StoredSnapshot]
    const retagged = at(second.snapshot.timeMs, { tags: ['x'], original: second.id })
    const repaired = at(second.snapshot.timeMs, { original: second.id, tree: '11' as ObjectId })
    const planned = (snapshots: readonly StoredSnapshot[], policy: ForgetPolicy): string[] =>
      planForget(snapshots, policy, { groupBy: [], nowMs: NOW })[0]!.keep.map(({ id }) => id)
    expect(planned([first, second, retagged], { last: 1 })).toEqual([second.id, retagged.id])
    expect(planned([first, second, retagged], { last: 2 })).toEqual([first.id, second.id, retagged.id])
    expect(planned([first, second, retagged, third], { last: 1 })).toEqual([third.id])
    expect(planned([second, retagged, third], { last: 1, tags: [['x']] })).toEqual([second.id, retagged.id, third.id])
    expect(planned([first, second, repaired], { last: 1 })).toEqual([repaired.id])
  })

  test('several reasons for one snapshot', () => {
    expect(kept([at('2026-01-01T00:00Z', { tags: ['a'] })], { last: 1, daily: 1, tags: [['a']] })).toEqual([
      ['2026-01-01T00:00', 'has tags a', 'last snapshot', 'daily snapshot'],
    ])
  })

  test.each([{}, { last: 0 }, { tags: [] }])('%o is refused: it would remove everything', (policy) => {
    expect(() => planForget(hours, policy, { nowMs: NOW })).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  test('a number that is none is a mistake of the program', () => {
    expect(() => planForget(hours, { last: 1.5 }, { nowMs: NOW })).toThrow(RangeError)
  })
})

describe('a snapshot dated in the future', () => {
  const snapshots = [at('2026-06-01T00:00Z'), at('2026-06-02T00:00Z'), at('2036-01-01T00:00Z')]

  test('is kept, and pushes no other out', () => {
    expect(kept(snapshots, { last: 1, within: parseDuration('1d') })).toEqual([
      ['2026-06-02T00:00', 'within 1d', 'last snapshot'],
      ['2036-01-01T00:00', 'dated in the future'],
    ])
  })

  test('is reported', () => {
    const [group] = planForget(snapshots, { last: 1 }, { nowMs: NOW })
    expect(group!.notes).toEqual([
      `snapshot ${snapshots[2]!.id.slice(0, 8)} (${formatTime(snapshots[2]!.snapshot.timeMs)}) is dated in the future: it is kept, and counted for nothing; "chainkeep forget ID" removes what is wrong`,
    ])
  })
})

describe('snapshots dated before their parent', () => {
  const right = [at('2026-06-01T00:00Z'), at('2026-06-02T00:00Z')]
  const before = at('2026-06-01T20:00Z', { parent: right[1]!.id })
  const after = at('2026-06-01T21:00Z', { parent: before.id })

  test('are kept, and push no other out', () => {
    expect(kept([...right, before, after], { daily: 2 })).toEqual([
      ['2026-06-01T00:00', 'daily snapshot'],
      ['2026-06-01T20:00', 'dated before its parent'],
      ['2026-06-01T21:00', 'dated before its parent'],
      ['2026-06-02T00:00', 'daily snapshot'],
    ])
  })

  test('are reported, and told by their parent even if that is not among those chosen', () => {
    const [group] = planForget([before], { last: 1 }, { nowMs: NOW, all: [...right, before, after] })
    expect(group!.notes).toEqual([expect.stringContaining('is dated before what it was made after: it is kept')])
    expect(group).toMatchObject({ misdated: 1, keep: [{ id: before.id }] })
    expect(planForget([...right, before, after], { last: 1 }, { nowMs: NOW })[0]!.notes[0]).toMatch(
      /^2 snapshots, such/,
    )
  })
})

describe('groups', () => {
  const paths = (...texts: string[]) => texts.map(byteStringOf)
  const snapshots = [
    at('2026-01-01T00:00Z', { host: 'a', paths: paths('/x'), tags: ['t', 'u'] }),
    at('2026-01-02T00:00Z', { host: 'a', paths: paths('/y'), tags: ['u', 't'] }),
    at('2026-01-03T00:00Z', { host: 'b', paths: paths('/x'), tags: [] }),
    at('2026-01-04T00:00Z', { host: 'a', paths: paths('/x'), tags: [] }),
  ]
  const keysAndSizes = (groups: readonly ForgetGroup[]) =>
    groups.map(({ key, keep, remove }) => [key, keep.length, remove.length])

  test('by host and paths unless told otherwise', () => {
    expect(keysAndSizes(planForget(snapshots, { last: 1 }, { nowMs: NOW }))).toEqual([
      [{ host: 'a', paths: ['/x'] }, 1, 1],
      [{ host: 'a', paths: ['/y'] }, 1, 0],
      [{ host: 'b', paths: ['/x'] }, 1, 0],
    ])
  })

  test('by tags, whatever their order', () => {
    expect(keysAndSizes(planForget(snapshots, { last: 1 }, { nowMs: NOW, groupBy: ['tags'] }))).toEqual([
      [{ tags: ['t', 'u'] }, 1, 1],
      [{ tags: [] }, 1, 1],
    ])
  })

  test('all in one', () => {
    expect(keysAndSizes(planForget(snapshots, { last: 1 }, { nowMs: NOW, groupBy: [] }))).toEqual([[{}, 1, 3]])
  })
})

test('nothing is lost or counted twice, a higher number never keeps less, and the future changes nothing', () => {
  const times = fc.array(fc.integer({ min: 0, max: 400 * 24 }), { maxLength: 40 })
  const number = fc.integer({ min: -1, max: 6 })
  const policies = fc.record({
    last: number,
    hourly: number,
    daily: number,
    weekly: number,
    monthly: number,
    yearly: number,
  })
  const idsOf = (snapshots: readonly StoredSnapshot[], policy: ForgetPolicy): string[] =>
    planForget(snapshots, policy, { groupBy: [], nowMs: NOW }).flatMap(({ keep }) => keep.map(({ id }) => id))
  fc.assert(
    fc.property(times, policies, (hours, policy) => {
      fc.pre(Object.values(policy).some((rule) => rule !== 0))
      const snapshots = hours.map((hour) => at(NOW - hour * 3_600_000))
      for (const { keep, remove } of planForget(snapshots, policy, { nowMs: NOW }))
        expect([...keep, ...remove].map(({ id }) => id).sort()).toEqual(snapshots.map(({ id }) => id).sort())
      const ids = idsOf(snapshots, policy)
      expect(idsOf(snapshots, { ...policy, last: UNLIMITED })).toHaveLength(snapshots.length)
      const future = at(NOW + 3_600_000)
      expect(idsOf([...snapshots, future], policy)).toEqual([...ids, future.id])
      const more = idsOf(snapshots, { ...policy, daily: policy.daily === UNLIMITED ? UNLIMITED : policy.daily + 1 })
      expect(more.length).toBeGreaterThanOrEqual(ids.length)
      if (snapshots.length > 0) expect(ids).toContain(newest(snapshots).id)
    }),
  )
})

function newest(snapshots: readonly StoredSnapshot[]): StoredSnapshot {
  return snapshots.reduce((a, b) =>
    b.snapshot.timeMs > a.snapshot.timeMs || (b.snapshot.timeMs === a.snapshot.timeMs && b.id > a.id) ? b : a,
  )
}
