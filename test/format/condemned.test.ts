import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parsePackId, parseSnapshotId } from '../../src/base/ids.ts'
import { cborMap, encodeCbor } from '../../src/format/cbor.ts'
import {
  type Condemned,
  decodeCondemned,
  encodeCondemned,
  MAX_CONDEMNED_BYTES,
  MAX_CONDEMNED_IDS,
} from '../../src/format/condemned.ts'
import { encodeEnvelope } from '../../src/format/envelope.ts'
import { anyCondemned } from '../helpers/arbitraries.ts'
import { expectRefusal, truncations } from '../helpers/refusals.ts'

const FILE = 'condemned/abc'
const id = (digit: string): string => digit.repeat(64)
const RECORD: Condemned = {
  stage: 'condemned',
  timeMs: 1_700_000_000_000,
  host: 'node-1',
  pid: 42,
  data: [parsePackId(id('1')), parsePackId(id('2'))],
  meta: [],
  snapshots: [parseSnapshotId(id('3'))],
}

test('decoding is the inverse of encoding', () => {
  fc.assert(
    fc.property(anyCondemned, (record) => {
      expect(decodeCondemned(encodeCondemned(record), FILE)).toEqual(record)
    }),
  )
})

test('ids are written in order', () => {
  const turned = { ...RECORD, data: RECORD.data.toReversed() }
  expect(encodeCondemned(turned)).toEqual(encodeCondemned(RECORD))
})

test('the longest fits the bound', () => {
  const ids = Array.from({ length: MAX_CONDEMNED_IDS }, (_, i) => i.toString(16).padStart(64, '0'))
  const full = {
    ...RECORD,
    data: ids.map(parsePackId),
    meta: ids.map(parsePackId),
    snapshots: ids.map(parseSnapshotId),
  }
  const bytes = encodeCondemned(full)
  expect(bytes.length).toBeLessThan(MAX_CONDEMNED_BYTES)
  expect(decodeCondemned(bytes, FILE)).toEqual(full)
  const more = { ...full, data: [...full.data, parsePackId(id('f'))] }
  expect(() => encodeCondemned(more)).toThrow(RangeError)
})

describe('damage is refused:', () => {
  test('every truncation', () => {
    for (const short of truncations(encodeCondemned(RECORD)))
      expect(() => decodeCondemned(short, FILE)).toThrow(expect.objectContaining({ name: 'ChainkeepError' }))
  })

  test('every flipped bit', () => {
    const bytes = encodeCondemned(RECORD)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Uint8Array.from(bytes)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => decodeCondemned(damaged, FILE)).toThrow(expect.objectContaining({ name: 'ChainkeepError' }))
    }
  })

  test('a byte more', () => {
    expectRefusal(
      () => decodeCondemned(Buffer.concat([encodeCondemned(RECORD), Buffer.alloc(1)]), FILE),
      'BAD_FORMAT',
      FILE,
    )
  })
})

describe('nonsense is refused:', () => {
  const fields: Record<string, unknown> = {
    version: 1,
    stage: 1,
    time: 0,
    host: 'node-1',
    pid: 1,
    data: new Uint8Array(0),
    meta: new Uint8Array(0),
    snapshots: new Uint8Array(0),
  }
  const encode = (changed: Record<string, unknown>): Uint8Array =>
    encodeEnvelope('CKCONDMN', encodeCbor(cborMap(Object.entries({ ...fields, ...changed }))))

  test('none of it in what the others are made from', () => {
    expect(decodeCondemned(encode({}), FILE)).toMatchObject({ stage: 'condemned', data: [], snapshots: [] })
    expect(decodeCondemned(encode({ later: 1 }), FILE)).toMatchObject({ stage: 'condemned' }) // a key to be ignored
  })

  test.each<[string, Record<string, unknown>]>([
    ['a stage that there is not', { stage: 3 }],
    ['no stage', { stage: undefined }],
    ['no process', { pid: 0 }],
    ['half an id', { data: new Uint8Array(48) }],
    ['an id twice', { meta: new Uint8Array(64) }],
    ['ids out of order', { snapshots: Buffer.from(id('2') + id('1'), 'hex') }],
    ['a list of texts', { data: [id('1')] }],
  ])('%s', (_, changed) => {
    expectRefusal(() => decodeCondemned(encode(changed), FILE), 'BAD_FORMAT', FILE)
  })

  test('another version, which is said', () => {
    expectRefusal(() => decodeCondemned(encode({ version: 2 }), FILE), 'UNSUPPORTED', FILE)
  })
})
