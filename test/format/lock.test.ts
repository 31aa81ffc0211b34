import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeLock, encodeLock, type LockFile } from '../../src/format/lock.ts'
import { anyLock } from '../helpers/arbitraries.ts'
import { expectRefusal, truncations } from '../helpers/refusals.ts'

const FILE = 'locks/abc'
const LOCK: LockFile = { mode: 'prune', host: 'node-1', pid: 42, timeMs: 1_700_000_000_000 }

test('a lock is one line of JSON', () => {
  expect(Buffer.from(encodeLock(LOCK)).toString()).toBe(
    '{"version":1,"mode":"prune","host":"node-1","pid":42,"timeMs":1700000000000}\n',
  )
})

test('decoding is the inverse of encoding', () => {
  fc.assert(
    fc.property(anyLock, (lock) => {
      expect(decodeLock(encodeLock(lock), FILE)).toEqual(lock)
    }),
  )
})

test('every truncation is refused', () => {
  for (const short of truncations(encodeLock(LOCK).subarray(0, -1)))
    expectRefusal(() => decodeLock(short, FILE), 'BAD_FORMAT', FILE)
})

test.each<[string, unknown]>([
  ['no object', null],
  ['a number', 1],
  ['an array', []],
  ['another version', { ...LOCK, version: 2 }],
  ['no version', { ...LOCK }],
  ['another mode', { ...LOCK, version: 1, mode: 'read' }],
  ['no host', { ...LOCK, version: 1, host: undefined }],
  ['process 0', { ...LOCK, version: 1, pid: 0 }],
  ['a negative process', { ...LOCK, version: 1, pid: -1 }],
  ['half a process', { ...LOCK, version: 1, pid: 1.5 }],
  ['a process in words', { ...LOCK, version: 1, pid: '42' }],
  ['no time', { ...LOCK, version: 1, timeMs: null }],
  ['a time that no calendar has', { ...LOCK, version: 1, timeMs: 1e300 }],
])('%s is refused', (_, value) => {
  expectRefusal(() => decodeLock(Buffer.from(JSON.stringify(value)), FILE), 'BAD_FORMAT', FILE)
})
