import { expect, test } from 'vitest'
import { type ObjectId, parseSnapshotId, type SnapshotId } from '../../src/base/ids.ts'
import { datedBeforeParent, isFuture, splitFuture } from '../../src/repository/snapshot-dates.ts'
import type { StoredSnapshot } from '../../src/repository/snapshots.ts'
import { snapshotOf } from '../helpers/store-tree.ts'

const NOW = Date.parse('2026-07-01T00:00:00Z')
const HOUR = 3_600_000
const idOf = (name: string): SnapshotId => parseSnapshotId(Buffer.from(name).toString('hex').padEnd(64, '0'))
const made = (name: string, hours: number, parent?: string, original?: string): StoredSnapshot => ({
  id: idOf(name),
  snapshot: {
    ...snapshotOf('00' as ObjectId),
    timeMs: NOW + hours * HOUR,
    parent: parent === undefined ? undefined : idOf(parent),
    original: original === undefined ? undefined : idOf(original),
  },
})
const namesOf = (snapshots: Iterable<StoredSnapshot>): string =>
  [...snapshots].map(({ id }) => Buffer.from(id, 'hex').toString().replaceAll('\0', '')).join(' ')
const misdated = (...snapshots: StoredSnapshot[]): string => namesOf(datedBeforeParent(snapshots, NOW))

test('the future begins where no clock that is set now and then may be', () => {
  expect([0.1, 0.17].map((hours) => isFuture(made('a', hours), NOW))).toEqual([false, true])
  const { past, future } = splitFuture([made('a', 1), made('b', -1), made('c', 2), made('d', 0)], NOW)
  expect([namesOf(past), namesOf(future)]).toEqual(['b d', 'a c'])
})

test('after a clock has run back, all that descend from the last right one are known, until time has caught up', () => {
  const right = [made('a', -9), made('b', -8, 'a')]
  const back = [made('c', -300, 'b'), made('d', -299, 'c'), made('e', -298, 'd')]
  const again = [made('f', -7, 'e'), made('g', -6, 'f')]
  expect(misdated(...right, ...back, ...again)).toBe('c d e')
  expect(misdated(...again, ...back.toReversed(), ...right)).toBe('c d e')
})

test('what descends from one of the future is right, and so is what was stored minutes before its parent', () => {
  expect(misdated(made('a', -3), made('b', 900, 'a'), made('c', -2, 'b'), made('d', -1, 'c'))).toBe('')
  expect(misdated(made('a', -3), made('b', -3.1, 'a'))).toBe('')
})

test('a parent is known by its original, and one that is gone tells nothing', () => {
  expect(misdated(made('tagged', -3, undefined, 'a'), made('b', -30, 'a'))).toBe('b')
  expect(misdated(made('b', -30, 'a'))).toBe('')
})

test('lines that somebody has bent into rings come to an end', () => {
  const ring = [made('a', -3, 'y'), made('b', -30, 'a', 'y')]
  expect(misdated(...ring)).toBe('')
  expect(misdated(made('a', -3, 'a', 'a'))).toBe('')
})

test('lines of a hundred thousand are no matter', () => {
  const line = Array.from({ length: 100_000 }, (_, i) => made(`${i}`, -i, i === 0 ? undefined : `${i - 1}`))
  expect(datedBeforeParent(line, NOW).size).toBe(line.length - 1)
  expect(datedBeforeParent(line.toReversed(), NOW).size).toBe(line.length - 1)
})
