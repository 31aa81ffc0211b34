import { crc32 as crc32OfZlib } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Crc32, crc32 } from '../../src/native/crc32.ts'
import { type Addon, loadAddon, pickKernel } from '../../src/native/kernel.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const addon = loadAddon()
const ways: [string, Crc32][] = [['what is picked', crc32]]
if (addon?.crc32) ways.push(['the kernel', addon.crc32])

describe.each(ways)('crc32 by %s', (_, compute) => {
  test('has the check value of its catalogue', () => {
    expect(compute(Buffer.from('123456789')).toString(16)).toBe('cbf43926')
  })

  test('is that of zlib for every length, wherever the bytes begin', () => {
    const bytes = seededBytes('crc', 5000)
    for (let length = 0; length < 1100; length++) {
      const part = bytes.subarray(length % 67, (length % 67) + length)
      expect([length, compute(part)]).toEqual([length, crc32OfZlib(part)])
    }
    for (const length of [2047, 2048, 2049, 4096, 4999]) {
      const part = bytes.subarray(1, 1 + length)
      expect(compute(part)).toBe(crc32OfZlib(part))
    }
  })

  test('is that of zlib for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000, size: 'max' }), (bytes) => {
        expect(compute(bytes)).toBe(crc32OfZlib(bytes))
      }),
    )
  })
})

test.skipIf(!addon?.crc32)('the kernel takes bytes only', () => {
  for (const value of [undefined, 'text', 7, [1, 2], new Uint16Array(4), new ArrayBuffer(8)])
    expect(() => Reflect.apply(addon!.crc32!, undefined, [value])).toThrow(RangeError)
})

test.skipIf(!addon)('a checksum that is wrong, not there, or beyond the path that is forced, is not used', () => {
  const pick = (compute: Addon['crc32'], forced?: string): Crc32 | undefined =>
    pickKernel(() => ({ ...addon!, crc32: compute }), forced)?.crc32
  const right: Crc32 = (bytes) => crc32OfZlib(bytes)
  expect(pick(right)).toBe(right)
  expect(pick((bytes) => crc32OfZlib(bytes) ^ 1)).toBe(undefined)
  expect(pick(undefined)).toBe(undefined)
  expect(pick(right, 'portable')).toBe(undefined)
})
