import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { GEAR_HIGH, GEAR_LOW, MASKS } from '../../src/native/gear.ts'
import { GEAR } from '../helpers/fastcdc-reference.ts'

test('the table is the low 48 bits of the published one', () => {
  const bytes = Buffer.alloc(2048)
  for (const [i, value] of GEAR.entries()) bytes.writeBigUInt64LE(value, 8 * i)
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(
    '91a3061015ae351cd3701852712bcd6aa4a1ce26c8a231d3969432b00f028f88',
  )
  expect(GEAR_HIGH).toEqual(GEAR.map((value) => Number((value >> 24n) & 0xffffffn)))
  expect(GEAR_LOW).toEqual(GEAR.map((value) => Number(value & 0xffffffn)))
})

test('mask k has k one-bits, none above bit 47', () => {
  for (let k = 5; k <= 25; k++) {
    expect(MASKS[k]!.toString(2).replaceAll('0', '')).toHaveLength(k)
    expect(MASKS[k]).toBeLessThan(2 ** 48)
  }
  expect(MASKS[15]).toBe(0x0000d90f03530000)
  expect(MASKS[17]).toBe(0x0000d90703537000)
})
