import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/base/errors.ts'
import { decodeList, encodeList, endsList, LIST_MAX_ENTRIES, LIST_MIN_ENTRIES } from '../../src/format/list.ts'
import { expectRefusal, truncations } from '../helpers/refusals.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const FILE = 'list abc'

const anyList = fc
  .array(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { minLength: 1, maxLength: LIST_MAX_ENTRIES })
  .map((lengths) => ({ ids: seededBytes(lengths.length, lengths.length * 32), lengths }))

test('decoding is the inverse of encoding', () => {
  fc.assert(
    fc.property(anyList, fc.integer({ min: 1, max: 16 }), ({ ids, lengths }, height) => {
      const list = decodeList(encodeList(height, ids, lengths), height, FILE)
      expect(list.height).toBe(height)
      expect(Buffer.from(list.ids).equals(ids)).toBe(true)
      expect(list.lengths).toEqual(lengths)
    }),
  )
})

test('a list is 8 bytes and 40 for each entry', () => {
  const bytes = encodeList(3, Buffer.alloc(64, 0xaa), [1, 2 ** 40])
  expect(Buffer.from(bytes).toString('hex')).toBe(
    `03000000${'02000000'}${'aa'.repeat(64)}${'0100000000000000'}${'0000000000010000'}`,
  )
})

test('ids and lengths must go together', () => {
  expect(() => encodeList(1, Buffer.alloc(32), [1, 2])).toThrow(RangeError)
  expect(() => encodeList(1, Buffer.alloc(33), [1])).toThrow(RangeError)
})

describe('refused are', () => {
  const bytes = encodeList(2, seededBytes('ids', 96), [1, 2, 3])
  const refused = (damaged: Uint8Array, code: ErrorCode, offset: number, height = 2): void => {
    const error = expectRefusal(() => decodeList(damaged, height, FILE), code, FILE)
    expect(error.details).toEqual({ file: FILE, offset })
  }
  const patched = (offset: number, value: number[]): Uint8Array => {
    const copy = Uint8Array.from(bytes)
    copy.set(value, offset)
    return copy
  }

  test('every truncation, and bytes too many', () => {
    for (const short of truncations(bytes)) expectRefusal(() => decodeList(short, 2, FILE), 'TRUNCATED', FILE)
    refused(Buffer.concat([bytes, Buffer.alloc(1)]), 'BAD_FORMAT', bytes.length)
  })

  test('another height than the parent says, so that no chain of lists can loop', () => {
    for (const height of [0, 1, 3, 16]) refused(bytes, 'BAD_FORMAT', 0, height)
  })

  test('flags', () => {
    for (const offset of [1, 2, 3]) refused(patched(offset, [1]), 'BAD_FORMAT', 1)
  })

  test('no entries, or too many, before room is made for them', () => {
    refused(patched(4, [0]), 'BAD_FORMAT', 4)
    refused(patched(4, [1, 1]), 'BAD_FORMAT', 4)
    refused(patched(4, [255, 255, 255, 255]), 'BAD_FORMAT', 4)
    refused(patched(4, [4]), 'TRUNCATED', 8)
  })

  test('entries of no bytes, and of more than 2^53', () => {
    refused(patched(104, [0]), 'BAD_FORMAT', 112)
    refused(patched(104, [0, 0, 0, 0, 0, 0, 32, 0]), 'BAD_FORMAT', 104)
  })
})

test('a list ends at ids that end in a multiple of 32, within bounds', () => {
  for (let count = 1; count < LIST_MIN_ENTRIES; count++) expect(endsList(count, 0)).toBe(false)
  for (let byte = 0; byte < 256; byte++) {
    expect(endsList(LIST_MIN_ENTRIES, byte)).toBe(byte % 32 === 0)
    expect(endsList(LIST_MAX_ENTRIES - 1, byte)).toBe(byte % 32 === 0)
    expect(endsList(LIST_MAX_ENTRIES, byte)).toBe(true)
  }
})
