import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ID_BYTES,
  idBytes,
  objectIdAt,
  packIdAt,
  parseObjectId,
  parsePackId,
  parseSnapshotId,
  shortId,
  snapshotIdAt,
} from '../../src/base/ids.ts'

const DIGITS = '0123456789abcdef'.repeat(4)

test('bytes and digits are the same id', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: ID_BYTES, maxLength: ID_BYTES }), (bytes) => {
      const id = objectIdAt(bytes)
      expect(id).toMatch(/^[0-9a-f]{64}$/)
      expect(Buffer.from(idBytes(id)).equals(bytes)).toBe(true)
      expect(parseObjectId(id)).toBe(id)
    }),
  )
})

describe.each([
  ['an object', objectIdAt],
  ['a pack', packIdAt],
  ['a snapshot', snapshotIdAt],
])('the id of %s', (_, idAt) => {
  test('is found among others, also in a view', () => {
    const bytes = Buffer.alloc(100, 0xee)
    bytes.set(Buffer.from(DIGITS, 'hex'), 40)
    expect(idAt(bytes, 40)).toBe(DIGITS)
    expect(idAt(bytes.subarray(40))).toBe(DIGITS)
  })

  test('needs all its bytes', () => {
    for (const offset of [-1, 69, 100, 1000]) expect(() => idAt(Buffer.alloc(100), offset)).toThrow(RangeError)
    expect(() => idAt(Buffer.alloc(31))).toThrow(RangeError)
  })
})

test('the bytes of an id belong to the caller', () => {
  const id = parseObjectId(DIGITS)
  idBytes(id).fill(0)
  expect(objectIdAt(idBytes(id))).toBe(DIGITS)
})

describe.each([
  ['an object', parseObjectId],
  ['a pack', parsePackId],
  ['a snapshot', parseSnapshotId],
])('text is the id of %s', (_, parse) => {
  test('if it has 64 lower-case hex digits', () => expect(parse(DIGITS)).toBe(DIGITS))

  test.each(['', DIGITS.slice(1), `${DIGITS}0`, DIGITS.toUpperCase(), DIGITS.replace('0', 'g'), `${DIGITS}\n`])(
    'and not if it is %j',
    (text) => expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'BAD_ID' })),
  )
})

test('people are shown eight digits', () => expect(shortId(DIGITS)).toBe('01234567'))
