import { describe, expect, test } from 'vitest'
import { chooseParent, type ParentChoice, type ParentWanted } from '../../src/backup/parent.ts'
import type { ByteString } from '../../src/base/bytes.ts'
import { parseSnapshotId } from '../../src/base/ids.ts'
import type { SnapshotKind } from '../../src/format/snapshot.ts'
import type { StoredSnapshot } from '../../src/repository/snapshots.ts'

const PATHS = ['/a', '/b'] as ByteString[]
let count = 0
const NOW = Date.parse('2026-07-01T00:00:00Z')
const DAY = 86_400_000
const made = (kind: SnapshotKind, host = 'h', paths: readonly ByteString[] = PATHS, timeMs = 0): StoredSnapshot => ({
  id: parseSnapshotId((++count).toString(16).padStart(64, '0')),
  snapshot: { kind, host, paths, timeMs } as StoredSnapshot['snapshot'],
})
const dated = (days: number, kind: SnapshotKind = 'incremental'): StoredSnapshot =>
  made(kind, 'h', PATHS, NOW + days * DAY)
const [full1, inc1, diff1, full2, inc2] = (['full', 'incremental', 'differential', 'full', 'incremental'] as const).map(
  (kind) => made(kind),
) as [StoredSnapshot, StoredSnapshot, StoredSnapshot, StoredSnapshot, StoredSnapshot]

const choose = (
  snapshots: readonly StoredSnapshot[],
  kind: SnapshotKind,
  others: Partial<ParentWanted> = {},
): ParentChoice => chooseParent(snapshots, { host: 'h', paths: PATHS, kind, nowMs: NOW, ...others })

describe('what a backup is compared with', () => {
  test('incremental: the latest', () => {
    expect(choose([full1, inc1, diff1, full2, inc2], 'incremental')).toMatchObject({
      kind: 'incremental',
      parent: inc2,
    })
    expect(choose([inc1], 'incremental')).toMatchObject({ kind: 'incremental', parent: inc1 })
  })

  test('differential: the latest full one', () => {
    expect(choose([full1, full2, inc2, diff1], 'differential')).toMatchObject({ kind: 'differential', parent: full2 })
    expect(choose([full1, inc1, diff1], 'differential')).toMatchObject({ parent: full1 })
  })

  test('full: the latest, to tell what changed', () => {
    expect(choose([full1, inc1], 'full')).toMatchObject({ kind: 'full', parent: inc1 })
  })

  test.each(['full', 'incremental', 'differential'] as const)('without any it is full: %s', (kind) => {
    expect(choose([], kind)).toEqual({
      kind: 'full',
      parent: undefined,
      group: [],
      future: [],
      full: undefined,
    })
  })

  test('a differential one whose full one is forgotten becomes full', () => {
    expect(choose([inc1, diff1], 'differential')).toMatchObject({ kind: 'full', parent: undefined })
  })

  test('only of the same host and the same paths', () => {
    const others = [
      made('full', 'other'),
      made('full', 'h', ['/a'] as ByteString[]),
      made('full', 'h', ['/a', '/b', '/c'] as ByteString[]),
      made('full', 'h', ['/a', '/c'] as ByteString[]),
    ]
    expect(choose(others, 'incremental').parent).toBeUndefined()
    expect(choose([full1, ...others], 'incremental')).toMatchObject({ parent: full1, group: [full1] })
  })

  test('the one that is asked for, whatever it is of', () => {
    const other = made('incremental', 'other')
    for (const kind of ['full', 'incremental', 'differential'] as const)
      expect(choose([full1, other, inc1], kind, { parent: other.id })).toMatchObject({
        kind,
        parent: other,
        group: [full1, inc1],
      })
    expect(() => choose([full1], 'full', { parent: other.id })).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
  })
})

test('the latest full one of a group is known, for the next differential backup', () => {
  expect(choose([full1, inc1, full2, inc2], 'incremental').full).toBe(full2)
  expect(choose([inc1], 'incremental').full).toBeUndefined()
  expect(choose([full1, dated(900, 'full')], 'incremental').full).toBe(full1)
})

describe('with snapshots that are dated in the future', () => {
  const [past, future] = [dated(-1), dated(900)]

  test.each(['incremental', 'full', 'differential'] as const)('%s: the latest that is not', (kind) => {
    const [full, late] = [dated(-2, 'full'), dated(800, 'full')]
    const parent = kind === 'differential' ? full : past
    expect(choose([full, past, late, future], kind)).toMatchObject({ kind, parent, future: [late, future] })
  })

  test('where all are, the clock is wrong: the latest nevertheless', () => {
    expect(choose([future], 'incremental')).toMatchObject({ kind: 'incremental', parent: future, future: [future] })
  })

  test('some minutes are what clocks differ by', () => {
    const soon = dated(5 / 1440)
    expect(choose([past, soon], 'incremental')).toMatchObject({ parent: soon, future: [] })
  })

  test('what is given a date of its own is compared with what is dated before', () => {
    const snapshots = [dated(-300), dated(-200), past]
    const timeMs = NOW - 150 * DAY
    expect(choose(snapshots, 'incremental', { timeMs })).toMatchObject({ parent: snapshots[1], future: [] })
    expect(choose(snapshots, 'incremental', { timeMs: 0 })).toMatchObject({ kind: 'full', parent: undefined })
    expect(choose([past, future], 'incremental', { timeMs: NOW + 999 * DAY })).toMatchObject({ parent: past })
  })
})
