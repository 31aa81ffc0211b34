import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/base/errors.ts'
import { objectIdAt } from '../../src/base/ids.ts'
import {
  hashObject,
  type ObjectHeader,
  openRecord,
  RECORD_HEADER_BYTES,
  recordLength,
  sealObject,
} from '../../src/format/object.ts'
import {
  decodePackFooter,
  decodePackHeader,
  decodePackTrailer,
  encodePackEnd,
  encodePackHeader,
  PACK_ENTRY_BYTES,
  PACK_FOOTER_BYTES,
  PACK_HEADER_BYTES,
  type PackEntry,
  packClassOf,
} from '../../src/format/pack.ts'
import { createCompressor } from '../../src/native/compress.ts'
import { expectRefusal, flipped, truncations } from '../helpers/refusals.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const FILE = 'data/abc'
const compressor = createCompressor(3)

/** A whole pack of real chunks: noise of 50 bytes, and 300 zeros. */
function samplePack(): Uint8Array {
  const header = encodePackHeader('data', seededBytes('random', 8))
  const records: Uint8Array[] = []
  const entries: PackEntry[] = []
  let offset = PACK_HEADER_BYTES
  for (const plain of [seededBytes('noise', 50), Buffer.alloc(300)]) {
    const id = hashObject('chunk', plain)
    const target = Buffer.alloc(RECORD_HEADER_BYTES + plain.length)
    const sealed = sealObject('chunk', id, plain, compressor, target, 0)
    entries.push({ ...sealed, id, offset })
    records.push(target.subarray(0, recordLength(sealed)))
    offset += recordLength(sealed)
  }
  return Buffer.concat([header, ...records, encodePackEnd(header, entries).bytes])
}

/** Reads a whole pack as FORMAT.md §12 says: footer, trailer, every record. */
function readPack(bytes: Uint8Array, expectedId: string): PackEntry[] {
  const footer = decodePackFooter(bytes.subarray(-PACK_FOOTER_BYTES), FILE, bytes.length)
  const trailer = bytes.subarray(footer.trailerOffset, -PACK_FOOTER_BYTES)
  const entries = decodePackTrailer(trailer, bytes.subarray(0, PACK_HEADER_BYTES), footer, FILE)
  for (const entry of entries) {
    const record = bytes.subarray(entry.offset, entry.offset + recordLength(entry))
    openRecord(record, entry.kind, objectIdAt(entry.id), FILE, entry.offset)
  }
  expect(footer.id, 'the name of the pack').toBe(expectedId)
  return entries
}

const PACK = samplePack()
const FOOTER_AT = PACK.length - PACK_FOOTER_BYTES
const TRAILER_AT = FOOTER_AT - 2 * PACK_ENTRY_BYTES
const ID = createHash('sha3-256')
  .update(PACK.subarray(0, PACK_HEADER_BYTES))
  .update(PACK.subarray(TRAILER_AT, FOOTER_AT))
  .digest('hex')

describe('a pack', () => {
  test('is read back as it was written', () => {
    const [noise, zeros] = readPack(PACK, ID)
    expect(noise).toMatchObject({ kind: 'chunk', codec: 0, offset: 16, storedLength: 50, plainLength: 50 })
    expect(zeros).toMatchObject({ kind: 'chunk', codec: 1, offset: 98, plainLength: 300 })
  })

  test('is refused with any bit flipped anywhere', () => {
    for (let bit = 0; bit < PACK.length * 8; bit++) {
      const error = expectRefusal(() => readPack(flipped(PACK, bit), ID), ['BAD_FORMAT', 'CORRUPT'], FILE)
      expect(error.details).toMatchObject({ file: FILE, offset: expect.any(Number) })
    }
  })

  test('is refused when it is cut off, or continued', () => {
    for (const short of truncations(PACK)) {
      const { code, message } = expectRefusal(() => readPack(short, ID), ['TRUNCATED', 'BAD_FORMAT'], FILE)
      if (code === 'BAD_FORMAT') expect(message).toContain('not the end of a pack (it may have been cut off)')
    }
    expectRefusal(() => readPack(Buffer.concat([PACK, PACK]), ID), 'BAD_FORMAT', FILE)
  })

  test('may hold many objects', () => {
    const anyHeader = fc.record({
      storedLength: fc.integer({ min: 1, max: 2 ** 24 }),
      kind: fc.constant('list' as const),
    })
    fc.assert(
      fc.property(fc.array(anyHeader, { minLength: 1, maxLength: 50 }), (headers) => {
        let end = PACK_HEADER_BYTES
        const entries = headers.map((fields, i): PackEntry => {
          const header: ObjectHeader = { ...fields, codec: 0, plainLength: fields.storedLength }
          const entry = { ...header, id: seededBytes(i, 32), offset: end }
          end += recordLength(header)
          return entry
        })
        const header = encodePackHeader('meta', seededBytes('random', 8))
        const { id, bytes } = encodePackEnd(header, entries)
        const footer = decodePackFooter(bytes.subarray(-PACK_FOOTER_BYTES), FILE, end + bytes.length)
        expect(footer).toEqual({ id, count: entries.length, trailerOffset: end })
        const trailer = bytes.subarray(0, -PACK_FOOTER_BYTES)
        expect(decodePackTrailer(trailer, header, footer, FILE)).toEqual(entries)
      }),
    )
  })
})

describe('the header', () => {
  test('says the class', () => {
    for (const packClass of ['data', 'meta'] as const)
      expect(decodePackHeader(encodePackHeader(packClass, Buffer.alloc(8)), FILE)).toBe(packClass)
    expect((['chunk', 'list', 'tree', 'attributes'] as const).map(packClassOf)).toEqual([
      'data',
      'meta',
      'meta',
      'meta',
    ])
  })

  test.each<[string, number, number, number]>([
    ['another signature', 0, 0x41, 0],
    ['another version', 6, 2, 6],
    ['no class', 7, 0, 7],
    ['an unknown class', 7, 3, 7],
  ])('with %s is refused', (_, at, value, offset) => {
    const header = Buffer.from(PACK.subarray(0, PACK_HEADER_BYTES))
    header[at] = value
    const error = expectRefusal(() => decodePackHeader(header, FILE), 'BAD_FORMAT', FILE)
    expect(error.details.offset).toBe(offset)
  })
})

describe('the footer', () => {
  const footerWith = (at: number, value: number, bytes = 4): Uint8Array => {
    const footer = Buffer.from(PACK.subarray(FOOTER_AT))
    footer.writeUIntLE(value, at, bytes)
    footer.writeUInt32LE(crc32(footer.subarray(0, 52)), 52)
    return footer
  }

  test.each<[string, number, number, number]>([
    ['no entries', 0, 0, 0],
    ['more entries than fit', 0, 3, 4],
    ['2^32 entries', 0, 2 ** 32 - 1, 4],
    ['a trailer of half an entry', 4, 24, 4],
    ['a trailer longer than the pack', 4, 2 ** 32 - 1, 4],
    ['another length', 8, 5, 8],
    ['flags', 48, 1, 48],
  ])('with %s is refused, though its checksum fits', (_, at, value, offset) => {
    const error = expectRefusal(() => decodePackFooter(footerWith(at, value), FILE, PACK.length), 'BAD_FORMAT', FILE)
    expect(error.details.offset).toBe(FOOTER_AT + offset)
  })

  test('of another pack length, or cut off, is refused', () => {
    const footer = PACK.subarray(FOOTER_AT)
    expectRefusal(() => decodePackFooter(footer, FILE, PACK.length + 1), 'BAD_FORMAT', FILE)
    for (const short of truncations(footer))
      expectRefusal(() => decodePackFooter(short, FILE, PACK.length), ['TRUNCATED', 'BAD_FORMAT'], FILE)
  })

  test('of a trailer that reaches into the header is refused', () => {
    const many = encodePackEnd(PACK.subarray(0, PACK_HEADER_BYTES), []).bytes
    const footer = Buffer.from(many)
    footer.writeUInt32LE(1, 0)
    footer.writeUInt32LE(PACK_ENTRY_BYTES, 4)
    footer.writeUInt32LE(crc32(footer.subarray(0, 52)), 52)
    expectRefusal(() => decodePackFooter(footer, FILE, PACK_HEADER_BYTES + PACK_FOOTER_BYTES), 'BAD_FORMAT', FILE)
  })
})

describe('the trailer', () => {
  const HEADER = PACK.subarray(0, PACK_HEADER_BYTES)
  const footer = decodePackFooter(PACK.subarray(FOOTER_AT), FILE, PACK.length)

  /** Refuses a trailer with some field changed, whose hash is in the footer. */
  function refused(at: number, value: number, bytes = 1, header: Uint8Array = HEADER, code: ErrorCode = 'BAD_FORMAT') {
    const trailer = Buffer.from(PACK.subarray(TRAILER_AT, FOOTER_AT))
    trailer.writeUIntLE(value, at, bytes)
    const id = createHash('sha3-256').update(header).update(trailer).digest('hex')
    const forged = { ...footer, id: id as typeof footer.id }
    const error = expectRefusal(() => decodePackTrailer(trailer, header, forged, FILE), code, FILE)
    expect(error.details.offset).toBeGreaterThan(footer.trailerOffset)
  }

  test.each<[string, number, number, number]>([
    ['a gap', 32, 17, 4],
    ['an overlap', 48 + 32, 97, 4],
    ['another stored length', 36, 49, 4],
    ['no stored bytes', 48 + 36, 0, 4],
    ['a plain length without measure', 48 + 40, 2 ** 24 + 1, 4],
    ['an unknown kind', 44, 7, 1],
    ['a kind of the other class', 44, 3, 1],
    ['a snapshot', 44, 4, 1],
    ['an unknown codec', 45, 3, 1],
    ['flags', 46, 1, 2],
  ])('with %s is refused, though its hash fits', (_, at, value, bytes) => refused(at, value, bytes))

  test('of chunks in a metadata pack is refused', () => {
    refused(46, 0, 2, encodePackHeader('meta', HEADER.subarray(8)))
  })

  test('that is not the one of the footer is refused', () => {
    const trailer = PACK.subarray(TRAILER_AT, FOOTER_AT)
    for (const other of [trailer.subarray(48), Buffer.concat([trailer, trailer])])
      expectRefusal(() => decodePackTrailer(other, HEADER, footer, FILE), 'CORRUPT', FILE)
    const otherHeader = encodePackHeader('data', seededBytes('other', 8))
    expectRefusal(() => decodePackTrailer(trailer, otherHeader, footer, FILE), 'CORRUPT', FILE)
  })

  test('shorter or longer than the footer says is refused', () => {
    const trailer = PACK.subarray(TRAILER_AT, FOOTER_AT)
    for (const count of [1, 3])
      expectRefusal(
        () => decodePackTrailer(trailer, HEADER, { ...footer, count }, FILE),
        ['BAD_FORMAT', 'TRUNCATED'],
        FILE,
      )
  })
})

test('a snapshot has no place in any pack', () => {
  const header = encodePackHeader('meta', Buffer.alloc(8))
  const entry: PackEntry = {
    kind: 'snapshot',
    codec: 0,
    storedLength: 9,
    plainLength: 9,
    id: seededBytes('id', 32),
    offset: 16,
  }
  const { bytes } = encodePackEnd(header, [entry])
  const footer = decodePackFooter(bytes.subarray(-PACK_FOOTER_BYTES), FILE, 16 + 41 + bytes.length)
  expectRefusal(
    () => decodePackTrailer(bytes.subarray(0, -PACK_FOOTER_BYTES), header, footer, FILE),
    'BAD_FORMAT',
    FILE,
  )
})
