import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { cborMap, encodeCbor } from '../../src/format/cbor.ts'
import { decodeSettings, encodeSettings } from '../../src/format/settings.ts'

test('what is encoded is decoded', () => {
  for (const parityPercent of [0, 1, 10, 100])
    expect(decodeSettings(encodeSettings({ parityPercent }), 'settings')).toEqual({ parityPercent })
})

test('every change of a byte, and every missing end, is found', () => {
  const bytes = encodeSettings({ parityPercent: 10 })
  for (let at = 0; at < bytes.length; at++) {
    const copy = Uint8Array.from(bytes)
    copy[at]! ^= 1 << (at % 8)
    expect(() => decodeSettings(copy, 'settings')).toThrow('settings')
    expect(() => decodeSettings(bytes.subarray(0, at), 'settings')).toThrow('settings')
  }
  expect(() => decodeSettings(Buffer.concat([bytes, Buffer.alloc(1)]), 'settings')).toThrow('too many')
})

test.each([
  [[['version', 2]], 'UNSUPPORTED'],
  [[['version', 1]], 'BAD_FORMAT'],
  [
    [
      ['version', 1],
      ['parity', 101],
    ],
    'BAD_FORMAT',
  ],
  [
    [
      ['version', 1],
      ['parity', 'ten'],
    ],
    'BAD_FORMAT',
  ],
] as const)('settings of %j are refused', (fields, code) => {
  const body = encodeCbor(cborMap(fields as unknown as [string, number][]))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(body.length)
  const head = Buffer.concat([Buffer.from('CKSETTNG'), length, body])
  const bytes = Buffer.concat([head, createHash('sha3-256').update(head).digest()])
  expect(() => decodeSettings(bytes, 'settings')).toThrow(expect.objectContaining({ code }))
})
