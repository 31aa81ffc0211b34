import { expect, test } from 'vitest'
import { findExcess, type RemoveLimits } from '../../src/maintain/forget-limit.ts'
import type { ForgetGroup } from '../../src/maintain/forget-policy.ts'

const groupOf = (keep: number, remove: number, misdated = 0): ForgetGroup => ({
  key: {},
  keep: Array(keep).fill(undefined),
  remove: Array(remove).fill(undefined),
  misdated,
  notes: [],
})
const isRefused = (group: ForgetGroup, limits: RemoveLimits = {}): boolean => findExcess([group], limits) !== undefined

test('all of a group is too much, unless that is allowed', () => {
  expect(findExcess([groupOf(1, 1), groupOf(0, 1)], {})).toMatchObject({ removed: 1, of: 1, isAll: true })
  expect(isRefused(groupOf(0, 1000), { allowRemoveAll: true })).toBe(false)
  expect(isRefused(groupOf(0, 1000), { limit: { count: Infinity } })).toBe(true)
  expect(isRefused(groupOf(0, 0))).toBe(false)
})

test('more than nine tenths of many are too much, unless said otherwise', () => {
  expect(findExcess([groupOf(5, 51)], {})).toMatchObject({ removed: 51, of: 56, isAll: false })
  expect(isRefused(groupOf(1, 50))).toBe(false)
  expect(isRefused(groupOf(10, 90))).toBe(false)
  expect(isRefused(groupOf(9, 91))).toBe(true)
  expect(isRefused(groupOf(5, 51), { limit: { count: Infinity } })).toBe(false)
  expect(isRefused(groupOf(5, 51), { allowRemoveAll: true })).toBe(false)
})

test('a limit of one’s own: a number, or a share', () => {
  expect(isRefused(groupOf(5, 3), { limit: { count: 3 } })).toBe(false)
  expect(isRefused(groupOf(5, 4), { limit: { count: 3 } })).toBe(true)
  expect(isRefused(groupOf(9, 1), { limit: { count: 0, share: 0.1 } })).toBe(false)
  expect(isRefused(groupOf(8, 2), { limit: { count: 0, share: 0.1 } })).toBe(true)
  expect(isRefused(groupOf(0, 4), { limit: { count: 3 }, allowRemoveAll: true })).toBe(true)
})

test('what is kept for its wrong date alone makes neither the whole nor the share smaller', () => {
  expect(findExcess([groupOf(200, 60, 200)], {})).toMatchObject({ removed: 60, of: 60, isAll: true })
  expect(findExcess([groupOf(205, 60, 200)], {})).toMatchObject({ removed: 60, of: 65, isAll: false })
})
