import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader } from '../../src/base/bytes.ts'
import { type ObjectId, objectIdAt } from '../../src/base/ids.ts'
import {
  decodeRecordHeader,
  hashObject,
  KIND_CODES,
  MAX_PLAIN_BYTES,
  type ObjectKind,
  objectKindOf,
  openRecord,
  RECORD_HEADER_BYTES,
  recordLength,
  sealObject,
} from '../../src/format/object.ts'
import { CODEC_RAW, CODEC_XOR_ZSTD, CODEC_ZSTD, createCompressor } from '../../src/native/compress.ts'
import { expectRefusal, flipped, truncations } from '../helpers/refusals.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const FILE = 'data/abc'
const AT = 1000
const KINDS = Object.keys(KIND_CODES) as ObjectKind[]
const compressor = createCompressor(3)

interface Sealed {
  readonly kind: ObjectKind
  readonly id: ObjectId
  readonly plain: Uint8Array
  readonly record: Uint8Array
}

function seal(kind: ObjectKind, plain: Uint8Array): Sealed {
  const id = hashObject(kind, plain)
  const target = Buffer.alloc(7 + RECORD_HEADER_BYTES + plain.length)
  const header = sealObject(kind, id, plain, compressor, target, 7)
  return { kind, id: objectIdAt(id), plain, record: target.subarray(7, 7 + recordLength(header)) }
}

const open = ({ kind, id, record }: Sealed, target?: Uint8Array): Uint8Array =>
  openRecord(record, kind, id, FILE, AT, target)

const RAW = seal('chunk', seededBytes('raw', 100))
/** As a block file lies on the disk. */
const KEYED = seal('chunk', Buffer.alloc(4096, Buffer.from('5ca1ab1e0ddba11f', 'hex')))
const ZSTD = seal('tree', Buffer.from('a tree, a tree, a tree, a tree, a tree, a tree, a tree, a tree, a tree'))

/** The record with fields of its header changed, and the header's checksum put right. */
function patched({ record }: Sealed, offset: number, value: number, bytes = 1): Uint8Array {
  const copy = Buffer.from(record)
  copy.writeUIntLE(value, offset, bytes)
  copy.writeUInt32LE(crc32(copy.subarray(0, 28)), 28)
  return copy
}

test('an opened record holds what was sealed', () => {
  const anyPlain = fc.oneof(
    fc.uint8Array({ minLength: 1 }),
    fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.nat(255)).map(([length, byte]) => new Uint8Array(length).fill(byte)),
  )
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), anyPlain, (kind, plain) => {
      const sealed = seal(kind, plain)
      expect(Buffer.from(open(sealed)).equals(plain)).toBe(true)
      const target = new Uint8Array(plain.length)
      expect(open(sealed, target)).toBe(target)
      expect(Buffer.from(target).equals(plain)).toBe(true)
    }),
  )
})

test('the header says what is stored', () => {
  const header = (sealed: Sealed) => decodeRecordHeader(new ByteReader(sealed.record, FILE))
  expect(header(RAW)).toMatchObject({ kind: 'chunk', codec: CODEC_RAW, storedLength: 100, plainLength: 100 })
  expect(header(ZSTD)).toMatchObject({ kind: 'tree', codec: CODEC_ZSTD, plainLength: ZSTD.plain.length })
  expect(header(ZSTD).storedLength).toBeLessThan(ZSTD.plain.length)
  expect(header(KEYED)).toMatchObject({ kind: 'chunk', codec: CODEC_XOR_ZSTD, plainLength: 4096 })
  expect(Buffer.from(header(RAW).idPrefix).toString('hex')).toBe(RAW.id.slice(0, 16))
})

test('ids of chunks are SHA3-256, all others SHAKE256', () => {
  const plain = seededBytes('ids', 1000)
  for (const kind of KINDS) {
    const expected = kind === 'chunk' ? createHash('sha3-256') : createHash('shake256', { outputLength: 32 })
    expect(Buffer.from(hashObject(kind, plain)).toString('hex')).toBe(expected.update(plain).digest('hex'))
  }
})

test('codes of kinds are what is stored', () => {
  expect(KINDS.map((kind) => KIND_CODES[kind])).toEqual([1, 2, 3, 4, 5])
  for (const kind of KINDS) expect(objectKindOf(KIND_CODES[kind])).toBe(kind)
  for (const code of [0, 6, 7, 255]) expect(objectKindOf(code)).toBeUndefined()
})

describe.each([
  ['raw', RAW],
  ['compressed', ZSTD],
  ['keyed', KEYED],
])('a %s record', (_, sealed) => {
  const { record, kind, id } = sealed

  test('is the caller’s own copy', () => {
    const copy = Buffer.from(record)
    const plain = openRecord(copy, kind, id, FILE, AT)
    copy.fill(0)
    expect(Buffer.from(plain).equals(sealed.plain)).toBe(true)
  })

  test('is refused at every truncation, and with bytes too many', () => {
    for (const short of truncations(record))
      expectRefusal(() => openRecord(short, kind, id, FILE, AT), 'TRUNCATED', FILE)
    const long = Buffer.concat([record, Buffer.alloc(1)])
    const error = expectRefusal(() => openRecord(long, kind, id, FILE, AT), 'BAD_FORMAT', FILE)
    expect(error.details).toMatchObject({ file: FILE, offset: AT + record.length })
  })

  test('is refused with any bit flipped', () => {
    for (let bit = 0; bit < record.length * 8; bit++)
      expectRefusal(() => openRecord(flipped(record, bit), kind, id, FILE, AT), ['BAD_FORMAT', 'CORRUPT'], FILE)
  })

  test('is refused with other content, even if all checksums fit', () => {
    const copy = Buffer.from(record)
    copy[copy.length - 1]! ^= 1
    const crc = crc32(copy.subarray(RECORD_HEADER_BYTES))
    const forged = patched({ ...sealed, record: copy }, 24, crc, 4)
    expectRefusal(() => openRecord(forged, kind, id, FILE, AT), 'CORRUPT', FILE)
  })

  test('is refused as another object, or as one of another kind', () => {
    const other = objectIdAt(seededBytes('other', 32))
    expect(expectRefusal(() => openRecord(record, kind, other, FILE, AT), 'CORRUPT', FILE).details).toMatchObject({
      offset: AT,
      id: other,
      actual: id,
    })
    for (const otherKind of KINDS)
      if (otherKind !== kind) expectRefusal(() => openRecord(record, otherKind, id, FILE, AT), 'CORRUPT', FILE)
  })

  test.each<[string, number, number, number]>([
    ['an unknown kind', 4, 6, 1],
    ['no kind', 4, 0, 1],
    ['an unknown codec', 5, 2, 1],
    ['flags', 6, 1, 2],
    ['other flags', 6, 0x8000, 2],
    ['no stored bytes', 8, 0, 4],
    ['more stored bytes than plain ones', 8, 2 ** 31, 4],
    ['no plain bytes', 12, 0, 4],
    ['plain bytes without measure', 12, MAX_PLAIN_BYTES + 1, 4],
    ['all the memory there is', 12, 2 ** 32 - 1, 4],
  ])('is refused with %s', (_what, offset, value, bytes) => {
    const forged = patched(sealed, offset, value, bytes)
    const error = expectRefusal(() => openRecord(forged, kind, id, FILE, AT), 'BAD_FORMAT', FILE)
    expect(error.details.offset).toBeGreaterThanOrEqual(AT)
  })

  test('is refused with a wrong plain length', () => {
    for (const length of [sealed.plain.length - 1, sealed.plain.length + 1]) {
      const forged = patched(sealed, 12, length, 4)
      expectRefusal(() => openRecord(forged, kind, id, FILE, AT), ['BAD_FORMAT', 'CORRUPT'], FILE)
    }
    expectRefusal(() => open(sealed, new Uint8Array(sealed.plain.length + 1)), 'CORRUPT', FILE)
  })
})

test('an object may be 16 MiB long, and no longer', () => {
  const plain = new Uint8Array(MAX_PLAIN_BYTES)
  expect(open(seal('chunk', plain))).toHaveLength(MAX_PLAIN_BYTES)
  const longer = seal('chunk', new Uint8Array(MAX_PLAIN_BYTES + 1))
  expectRefusal(() => open(longer), 'BAD_FORMAT', FILE)
})
