import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/base/errors.ts'
import { decodeCbor, encodeCbor } from '../../src/format/cbor.ts'
import { decodeConfig, encodeConfig, type RepositoryConfig, requireWritable } from '../../src/format/config.ts'
import { createFindCuts } from '../../src/native/scan.ts'
import { anyConfig } from '../helpers/arbitraries.ts'
import { expectRefusal, flipped, truncations } from '../helpers/refusals.ts'

const FILE = '/repository/config'
const CONFIG: RepositoryConfig = {
  version: 1,
  repositoryId: '000102030405060708090a0b0c0d0e0f',
  createdMs: 1_700_000_000_000,
  chunker: { minBytes: 16_384, averageBytes: 65_536, maxBytes: 262_144, level: 1, segmentBytes: 2 ** 26 },
  readFeatures: [],
  writeFeatures: [],
}
const BYTES = encodeConfig(CONFIG)

type Fields = Map<string, unknown>

/** The config with some fields changed, and a checksum that fits. */
function changed(change: (fields: Fields) => void): Uint8Array {
  const fields = decodeCbor(BYTES.subarray(12, -32), FILE) as Fields
  change(fields)
  const body = encodeCbor(fields)
  const head = Buffer.from('CKCONFIG....')
  head.writeUInt32LE(body.length, 8)
  const signed = Buffer.concat([head, body])
  return Buffer.concat([signed, createHash('sha3-256').update(signed).digest()])
}

const inChunker =
  (key: string, value: unknown) =>
  (fields: Fields): void =>
    void (fields.get('chunker') as Fields).set(key, value)

function expectCode(change: (fields: Fields) => void, code: ErrorCode): void {
  const file = code === 'UNSUPPORTED' ? 'this chainkeep' : FILE
  expectRefusal(() => decodeConfig(changed(change), FILE), code, file)
}

test('decoding is the inverse of encoding', () => {
  expect(decodeConfig(BYTES, FILE)).toEqual(CONFIG)
  fc.assert(
    fc.property(anyConfig, (config) => {
      expect(decodeConfig(encodeConfig(config), FILE)).toEqual(config)
    }),
  )
})

test('every truncation is refused', () => {
  for (const short of truncations(BYTES))
    expectRefusal(() => decodeConfig(short, FILE), short.length < 8 ? 'NOT_A_REPOSITORY' : 'TRUNCATED', FILE)
})

test('every flipped bit is found', () => {
  for (let bit = 0; bit < BYTES.length * 8; bit++)
    expectRefusal(() => decodeConfig(flipped(BYTES, bit), FILE), bit < 64 ? 'NOT_A_REPOSITORY' : DAMAGE, FILE)
})
const DAMAGE: readonly ErrorCode[] = ['TRUNCATED', 'BAD_FORMAT', 'CORRUPT']

test('bytes too many are refused', () => {
  expectRefusal(() => decodeConfig(Buffer.concat([BYTES, Buffer.alloc(1)]), FILE), 'BAD_FORMAT', FILE)
})

test('another file is no config', () => {
  for (const text of ['', '{"version":1}', 'CKCONFIH and so on'])
    expectRefusal(() => decodeConfig(Buffer.from(text), FILE), 'NOT_A_REPOSITORY', FILE)
})

test('unknown fields are passed over', () => {
  expect(
    decodeConfig(
      changed((fields) => fields.set('future', [1])),
      FILE,
    ),
  ).toEqual(CONFIG)
})

describe('what is newer is unsupported', () => {
  test('another version, whatever else there is', () => {
    for (const version of [0, 2, 255]) expectCode((fields) => void fields.set('version', version), 'UNSUPPORTED')
    expectCode((fields) => {
      fields.clear()
      fields.set('version', 2)
    }, 'UNSUPPORTED')
  })

  test('a feature needed to read, whatever it changes', () => {
    expectCode((fields) => {
      fields.set('read-features', ['encryption'])
      fields.delete('chunker')
    }, 'UNSUPPORTED')
  })

  test('a feature needed to write, only when writing', () => {
    const config = decodeConfig(
      changed((fields) => fields.set('write-features', ['parity'])),
      FILE,
    )
    expectRefusal(() => requireWritable(config, FILE), 'UNSUPPORTED', '"parity"')
    requireWritable(CONFIG, FILE)
  })

  test('another chunker', () => expectCode(inChunker('name', 'rabin'), 'UNSUPPORTED'))
})

describe('fields of the wrong kind are refused', () => {
  test.each(['version', 'id', 'created', 'chunker', 'read-features', 'write-features'])('%s', (key) => {
    expectCode((fields) => void fields.delete(key), 'BAD_FORMAT')
    for (const value of [null, -1, 'text', [1], Buffer.alloc(15), new Map()])
      expectCode((fields) => void fields.set(key, value), 'BAD_FORMAT')
  })

  test.each<[string, number[]]>([
    ['min', [0, 62, 16_385, 65_536, 2 ** 20 + 2]],
    ['average', [16_384, 65_537, 262_144, 2 ** 22 + 2]],
    ['max', [65_536, 262_145, 2 ** 24 + 2]],
    ['level', [4, -1]],
    ['segment', [262_143, 2 ** 30 + 1]],
  ])('%s of the chunker', (key, values) => {
    expectCode((fields) => void (fields.get('chunker') as Fields).delete(key), 'BAD_FORMAT')
    for (const value of [...values, 'text']) expectCode(inChunker(key, value), 'BAD_FORMAT')
  })
})

test('what is accepted, the chunker takes', () => {
  const size = fc.oneof(fc.integer({ min: 60, max: 3000 }), fc.integer({ min: 2 ** 20 - 4, max: 2 ** 20 + 4 }))
  fc.assert(
    fc.property(size, size, size, fc.integer({ min: -1, max: 4 }), (min, average, max, level) => {
      const bytes = changed((fields) => {
        for (const [key, value] of Object.entries({ min, average, max, level })) inChunker(key, value)(fields)
      })
      let config: RepositoryConfig
      try {
        config = decodeConfig(bytes, FILE)
      } catch {
        expect(() => createFindCuts({ minBytes: min, averageBytes: average, maxBytes: max, level })).toThrow(RangeError)
        return
      }
      createFindCuts(config.chunker)
    }),
    { numRuns: 1000 },
  )
})
