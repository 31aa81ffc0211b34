import { randomBytes } from 'node:crypto'
import { sha3_256 as nobleSha3, shake256 as nobleShake } from '@noble/hashes/sha3.js'
import { describe, expect, test } from 'vitest'
import {
  answersRight,
  type Hashes,
  hashChunks,
  nobleHashes,
  opensslHashes,
  sha3_256,
  shake256,
} from '../../src/native/hash.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

// NIST, "Example Values": the empty message and 1600 bits of 0xa3; FIPS 202's "abc".
const VECTORS: readonly (readonly [name: string, message: Uint8Array, sha3: string, shake: string])[] = [
  [
    'empty',
    new Uint8Array(0),
    'a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a',
    '46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f',
  ],
  [
    'abc',
    Buffer.from('abc'),
    '3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532',
    '483366601360a8771c6863080cc4114d8db44530f8f1e1ee4f94ea37e78b5739',
  ],
  [
    '200 bytes of a3',
    Buffer.alloc(200, 0xa3),
    '79f38adec5c20307a98ef76e8324afbfd46cfd81b22e3973c65fa1bd9de31787',
    'cd8a920ed141aa0407a22d59288652e9d9f1a7ee0c1e7c1ca699424da84a904d',
  ],
]

const PROVIDERS: readonly (readonly [string, Hashes])[] = [
  ['picked', { sha3_256, shake256 }],
  ['OpenSSL', opensslHashes],
  ['noble', nobleHashes],
]

describe.each(PROVIDERS)('%s', (_, hashes) => {
  test.each(VECTORS)('%s', (_name, message, sha3, shake) => {
    expect(hex(hashes.sha3_256(message))).toBe(sha3)
    expect(hex(hashes.shake256(message))).toBe(shake)
  })

  test('agrees with another implementation at every length up to 600 and around multiples of the block', () => {
    const bytes = randomBytes(20 * 136 + 2)
    const around = Array.from({ length: 20 }, (_, i) => [-1, 0, 1].map((d) => (i + 1) * 136 + d)).flat()
    for (const length of [...Array.from({ length: 601 }, (_, i) => i), ...around]) {
      const message = bytes.subarray(0, length)
      expect(hex(hashes.sha3_256(message))).toBe(hex(nobleSha3(message)))
      expect(hex(hashes.shake256(message))).toBe(hex(nobleShake(message, { dkLen: 32 })))
    }
  })

  test('parts are concatenated', () => {
    const bytes = randomBytes(1000)
    const whole = hex(hashes.sha3_256(bytes))
    expect(hex(hashes.sha3_256(bytes.subarray(0, 1), bytes.subarray(1, 137), bytes.subarray(137)))).toBe(whole)
    expect(hex(hashes.sha3_256())).toBe(hex(hashes.sha3_256(new Uint8Array(0))))
  })

  test('results belong to the caller', () => {
    const first = hashes.sha3_256(Buffer.from('a'))
    const before = hex(first)
    hashes.sha3_256(Buffer.from('b')).fill(0)
    expect(hex(first)).toBe(before)
  })
})

test('a provider that answers wrongly, or not at all, is found out', () => {
  expect(answersRight(opensslHashes)).toBe(true)
  expect(answersRight(nobleHashes)).toBe(true)
  expect(answersRight({ ...opensslHashes, sha3_256: shake256 })).toBe(false)
  expect(answersRight({ ...opensslHashes, shake256: sha3_256 })).toBe(false)
  const missing = (): never => {
    throw new Error('Digest method not supported')
  }
  expect(answersRight({ ...opensslHashes, sha3_256: missing })).toBe(false)
})

describe('hashChunks', () => {
  const bytes = randomBytes(1000)
  const ends = Uint32Array.of(110, 110, 546, 1000, 7)

  test('writes the ids in order from the offset on, and nothing else', () => {
    const ids = new Uint8Array(6 * 32).fill(0xee)
    hashChunks(bytes, 10, ends, 4, ids, 32)
    expect(hex(ids.subarray(0, 32))).toBe('ee'.repeat(32))
    expect(hex(ids.subarray(32, 64))).toBe(hex(nobleSha3(bytes.subarray(10, 110))))
    expect(hex(ids.subarray(64, 96))).toBe(hex(nobleSha3(new Uint8Array(0))))
    expect(hex(ids.subarray(96, 128))).toBe(hex(nobleSha3(bytes.subarray(110, 546))))
    expect(hex(ids.subarray(128, 160))).toBe(hex(nobleSha3(bytes.subarray(546))))
    expect(hex(ids.subarray(160))).toBe('ee'.repeat(32))
  })

  test('refuses what does not fit', () => {
    expect(() => hashChunks(bytes, 0, ends, 2, new Uint8Array(63), 0)).toThrow(RangeError)
    expect(() => hashChunks(bytes, 0, ends, 5, new Uint8Array(160), 0)).toThrow(RangeError)
    expect(() => hashChunks(bytes, 0, Uint32Array.of(1001), 1, new Uint8Array(32), 0)).toThrow(RangeError)
  })
})
