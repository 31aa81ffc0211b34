import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeLock, encodeLock, type LockFile, MAX_LOCK_BYTES } from '../../src/format/lock.ts'
import { anyLock } from '../helpers/arbitraries.ts'
import { expectRefusal, truncations } from '../helpers/refusals.ts'

const FILE = 'locks/abc'
const LOCK: LockFile = {
  mode: 'prune',
  host: 'node-1',
  pid: 42,
  machine: '0123456789abcdef',
  boot: 'boot',
  space: '',
  started: '4711',
  sinceMs: 1_700_000_000_000,
  writer: 'fedcba9876543210',
  knows: ['00'.repeat(16)],
}
const WHOLE = { version: 2, ...LOCK }

test('a lock is one line of JSON', () => {
  expect(Buffer.from(encodeLock(LOCK)).toString()).toBe(
    '{"version":2,"mode":"prune","host":"node-1","pid":42,"machine":"0123456789abcdef","boot":"boot","space":"","started":"4711","sinceMs":1700000000000,"writer":"fedcba9876543210","knows":["00000000000000000000000000000000"]}\n',
  )
})

test('decoding is the inverse of encoding', () => {
  fc.assert(
    fc.property(anyLock, (lock) => {
      expect(decodeLock(encodeLock(lock), FILE)).toEqual(lock)
    }),
  )
  const note: LockFile = { ...LOCK, mode: 'interrupted', untilMs: 1_700_000_000_001, knows: [] }
  expect(decodeLock(encodeLock(note), FILE)).toEqual(note)
})

test('one that could know too much knows less', () => {
  const knows = Array.from({ length: 5000 }, (_, i) => i.toString(16).padStart(32, '0'))
  const bytes = encodeLock({ ...LOCK, knows })
  expect(bytes.length).toBeLessThan(MAX_LOCK_BYTES)
  expect(decodeLock(bytes, FILE).knows).toEqual(knows.slice(0, 1000))
})

test('every truncation is refused', () => {
  for (const short of truncations(encodeLock(LOCK).subarray(0, -1)))
    expectRefusal(() => decodeLock(short, FILE), 'BAD_FORMAT', FILE)
})

test.each<[string, unknown]>([
  ['no object', null],
  ['a number', 1],
  ['an array', []],
  ['no version', { ...LOCK }],
  ['another mode', { ...WHOLE, mode: 'toString' }],
  ['no host', { ...WHOLE, host: undefined }],
  ['no machine', { ...WHOLE, machine: 1 }],
  ['process 0', { ...WHOLE, pid: 0 }],
  ['a negative process', { ...WHOLE, pid: -1 }],
  ['half a process', { ...WHOLE, pid: 1.5 }],
  ['a process in words', { ...WHOLE, pid: '42' }],
  ['no time', { ...WHOLE, sinceMs: null }],
  ['a time that no calendar has', { ...WHOLE, sinceMs: 1e300 }],
  ['an end without an interruption', { ...WHOLE, untilMs: 1 }],
  ['an interruption without an end', { ...WHOLE, mode: 'interrupted' }],
  ['no writer', { ...WHOLE, writer: '' }],
  ['a writer whose files would be everybody’s', { ...WHOLE, writer: 'ab' }],
  ['knowledge that is none', { ...WHOLE, knows: [1] }],
])('%s is refused', (_, value) => {
  expectRefusal(() => decodeLock(Buffer.from(JSON.stringify(value)), FILE), 'BAD_FORMAT', FILE)
})

test.each([1, 3])('version %d is refused as such', (version) => {
  const lock = { ...WHOLE, version }
  expectRefusal(() => decodeLock(Buffer.from(JSON.stringify(lock)), FILE), 'UNSUPPORTED', FILE)
})
