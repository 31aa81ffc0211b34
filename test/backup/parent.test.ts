import { describe, expect, test } from 'vitest'
import { chooseParent, latestFull, type ParentChoice } from '../../src/backup/parent.ts'
import type { ByteString } from '../../src/base/bytes.ts'
import { parseSnapshotId } from '../../src/base/ids.ts'
import type { SnapshotKind } from '../../src/format/snapshot.ts'
import type { StoredSnapshot } from '../../src/repository/snapshots.ts'

const PATHS = ['/a', '/b'] as ByteString[]
let count = 0
const made = (kind: SnapshotKind, host = 'h', paths: readonly ByteString[] = PATHS): StoredSnapshot => ({
  id: parseSnapshotId((++count).toString(16).padStart(64, '0')),
  snapshot: { kind, host, paths } as StoredSnapshot['snapshot'],
})
const [full1, inc1, diff1, full2, inc2] = (['full', 'incremental', 'differential', 'full', 'incremental'] as const).map(
  (kind) => made(kind),
) as [StoredSnapshot, StoredSnapshot, StoredSnapshot, StoredSnapshot, StoredSnapshot]

const choose = (snapshots: readonly StoredSnapshot[], kind: SnapshotKind): ParentChoice =>
  chooseParent(snapshots, 'h', PATHS, kind, undefined)

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
    expect(choose([], kind)).toEqual({ kind: 'full', parent: undefined, group: [] })
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
      expect(chooseParent([full1, other, inc1], 'h', PATHS, kind, other.id)).toEqual({
        kind,
        parent: other,
        group: [full1, inc1],
      })
    expect(() => chooseParent([full1], 'h', PATHS, 'full', other.id)).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    )
  })
})

test('the latest full one of a group', () => {
  expect(latestFull([full1, inc1, full2, inc2])).toBe(full2)
  expect(latestFull([inc1])).toBeUndefined()
})
