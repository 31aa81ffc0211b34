import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadAddon } from '../../src/native/kernel.ts'
import { type ApplyXorKey, applyXorKey, applyXorKeyByWords, findXorKey, rotateKey } from '../../src/native/xor-key.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const addon = loadAddon()
const KEY = Buffer.from('5ca1ab1e0ddba11f', 'hex')
const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex')

/** Records as block files have them: two of three bytes noise, the rest small numbers. */
function recordsOf(seed: string, length: number): Buffer {
  const noise = seededBytes(seed, length)
  return noise.map((byte, i) => ((i * 7) % 23 < 8 ? (byte < 64 ? 1 : 0) : byte)) as Buffer
}

function xored(bytes: Uint8Array, key: Uint8Array): Buffer {
  return Buffer.from(bytes).map((byte, i) => byte ^ key[i % 8]!) as Buffer
}

describe('findXorKey', () => {
  test('finds the key that records were XOR-ed with, wherever it begins', () => {
    for (let turn = 0; turn < 8; turn++) {
      const key = Buffer.concat([KEY.subarray(turn), KEY.subarray(0, turn)])
      for (const length of [4096, 5001, 65_536, 262_144])
        expect(hex(findXorKey(xored(recordsOf(`records ${length}`, length), key)))).toBe(hex(key))
    }
  })

  test('finds none in what is plain', () => {
    const text = Buffer.from(Array.from({ length: 3000 }, (_, i) => `output ${i * 7919} of the chain\n`).join(''))
    const numbers = Buffer.from(BigUint64Array.from({ length: 9000 }, (_, i) => BigInt(i * 7919)).buffer)
    const plain = [recordsOf('plain', 65_536), seededBytes('noise', 65_536), Buffer.alloc(65_536, 9), text, numbers]
    for (const bytes of plain) expect(findXorKey(bytes)).toBeUndefined()
  })

  test('of very few bytes says nothing', () => {
    for (const length of [0, 1, 8, 100, 500]) expect(findXorKey(xored(Buffer.alloc(length), KEY))).toBeUndefined()
  })
})

const ways: [string, ApplyXorKey][] = [
  ['what is picked', applyXorKey],
  ['words', applyXorKeyByWords],
]
if (addon) ways.push(['the kernel', addon.applyXorKey])

describe.each(ways)('XOR by %s', (_, apply) => {
  test('is what it says, into other memory and in place', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.nat(2000), (skip, key, length) => {
        const bytes = seededBytes(length, length + skip).subarray(skip)
        const before = Buffer.from(bytes)
        const target = Buffer.alloc(length + 2, 0xee)
        apply(bytes, key, target.subarray(0, length))
        expect(target.equals(Buffer.concat([xored(before, key), Buffer.alloc(2, 0xee)]))).toBe(true)
        expect(bytes.equals(before)).toBe(true)
        apply(bytes, key, bytes)
        expect(bytes.equals(target.subarray(0, length))).toBe(true)
      }),
    )
    const long = seededBytes('long', 500_001)
    const target = Buffer.alloc(long.length)
    apply(long, KEY, target)
    expect(target.equals(xored(long, KEY))).toBe(true)
  })

  test('refuses what does not fit', () => {
    expect(() => apply(new Uint8Array(9), KEY, new Uint8Array(8))).toThrow(RangeError)
    expect(() => apply(new Uint8Array(9), KEY.subarray(1), new Uint8Array(9))).toThrow(RangeError)
  })
})

test('a key turns with its place, forwards and backwards', () => {
  expect(hex(rotateKey(KEY, 3))).toBe('1e0ddba11f5ca1ab')
  expect(hex(rotateKey(KEY, -3))).toBe('dba11f5ca1ab1e0d')
  for (const turn of [0, 8, -8, 2 ** 40]) expect(hex(rotateKey(KEY, turn))).toBe(hex(KEY))
  expect(hex(rotateKey(rotateKey(KEY, 5), -5))).toBe(hex(KEY))
})
