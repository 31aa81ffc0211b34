import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader } from '../../src/base/bytes.ts'
import { parseObjectId, parsePackId, parseSnapshotId } from '../../src/base/ids.ts'
import { decodeCbor, encodeCbor } from '../../src/format/cbor.ts'
import { decodeCondemned, encodeCondemned } from '../../src/format/condemned.ts'
import { decodeConfig, encodeConfig } from '../../src/format/config.ts'
import { decodeList, encodeList } from '../../src/format/list.ts'
import { decodeLock, encodeLock } from '../../src/format/lock.ts'
import { attributesFromArray } from '../../src/format/node.ts'
import { decodeRecordHeader, hashObject, openRecord, RECORD_HEADER_BYTES, sealObject } from '../../src/format/object.ts'
import {
  decodePackFooter,
  decodePackHeader,
  decodePackTrailer,
  encodePackEnd,
  encodePackHeader,
} from '../../src/format/pack.ts'
import { decodeSnapshot, encodeSnapshot } from '../../src/format/snapshot.ts'
import { decodeNode, decodeTree, encodeNode, joinLeaf } from '../../src/format/tree.ts'
import { createCompressor } from '../../src/native/compress.ts'
import { anyCondemned, anyConfig, anyLock, anyNode, anySnapshot } from '../helpers/arbitraries.ts'
import { refusalOf } from '../helpers/refusals.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const FILE = 'some file'
const ID = 'ab'.repeat(32)
const HEADER = encodePackHeader('data', seededBytes('random', 8))
const ENTRY = { kind: 'chunk', codec: 0, storedLength: 2, plainLength: 2, id: Buffer.alloc(32), offset: 16 } as const
const PACK_END = encodePackEnd(HEADER, [ENTRY]).bytes
const compressor = createCompressor(3)

/** Every decoder, and something that it decodes. */
const DECODERS: Record<string, { decode: (bytes: Uint8Array) => unknown; valid: fc.Arbitrary<Uint8Array> }> = {
  cbor: { decode: (bytes) => decodeCbor(bytes, FILE), valid: fc.jsonValue().map(encodeCbor) },
  config: { decode: (bytes) => decodeConfig(bytes, FILE), valid: anyConfig.map(encodeConfig) },
  condemned: { decode: (bytes) => decodeCondemned(bytes, FILE), valid: anyCondemned.map(encodeCondemned) },
  lock: { decode: (bytes) => decodeLock(bytes, FILE), valid: anyLock.map(encodeLock) },
  list: {
    decode: (bytes) => decodeList(bytes, 1, FILE),
    valid: fc.integer({ min: 1, max: 9 }).map((n) => encodeList(1, seededBytes(n, n * 32), new Array(n).fill(7))),
  },
  node: { decode: (bytes) => decodeNode(bytes, FILE), valid: anyNode.map(encodeNode) },
  tree: { decode: (bytes) => decodeTree(bytes, FILE), valid: anyNode.map((node) => joinLeaf([encodeNode(node)])) },
  attributes: {
    decode: (bytes) => attributesFromArray(decodeCbor(bytes, FILE), FILE),
    valid: fc.uint8Array({ minLength: 1 }).map((bytes) => encodeCbor([[bytes, bytes]])),
  },
  'record header': {
    decode: (bytes) => decodeRecordHeader(new ByteReader(bytes, FILE)),
    valid: fc.uint8Array({ minLength: 1 }).map((plain) => sealed(plain).subarray(0, RECORD_HEADER_BYTES)),
  },
  record: {
    decode: (bytes) => openRecord(bytes, 'chunk', parseObjectId(ID), FILE, 0),
    valid: fc.uint8Array({ minLength: 1 }).map(sealed),
  },
  snapshot: {
    decode: (bytes) => decodeSnapshot(bytes, parseSnapshotId(ID), FILE),
    valid: anySnapshot.map((snapshot) => encodeSnapshot(snapshot, compressor).bytes),
  },
  'pack header': { decode: (bytes) => decodePackHeader(bytes, FILE), valid: fc.constant(HEADER) },
  'pack footer': {
    decode: (bytes) => decodePackFooter(bytes, FILE, 80 + 48 + 34),
    valid: fc.constant(PACK_END.subarray(48)),
  },
  'pack trailer': {
    decode: (bytes) => {
      const count = Math.floor(bytes.length / 48)
      return decodePackTrailer(bytes, HEADER, { id: parsePackId(ID), count, trailerOffset: 16 }, FILE)
    },
    valid: fc.constant(PACK_END.subarray(0, 48)),
  },
}

function sealed(plain: Uint8Array): Uint8Array {
  const target = Buffer.alloc(RECORD_HEADER_BYTES + plain.length)
  const { storedLength } = sealObject('chunk', hashObject('chunk', plain), plain, compressor, target, 0)
  return target.subarray(0, RECORD_HEADER_BYTES + storedLength)
}

/** Bytes overwritten, removed or inserted somewhere. */
const anyChange = fc.record({
  at: fc.nat(1_000_000),
  remove: fc.nat(4),
  insert: fc.oneof(
    fc.uint8Array({ maxLength: 4 }),
    fc
      .constantFrom('ffffffff', '00000000', 'ffffffffffffffff', '9bffffffffffffffff', '5affffffff', 'a0', '80', 'f6')
      .map((hex) => Uint8Array.from(Buffer.from(hex, 'hex'))),
  ),
})

describe.each(Object.entries(DECODERS))(
  '%s: whatever the bytes, a value or an error of ours',
  (_, { decode, valid }) => {
    const check = (bytes: Uint8Array): void => {
      const error = refusalOf(() => decode(bytes)) // rethrows anything else
      if (error && error.code !== 'UNSUPPORTED') expect(error.message).toContain(FILE)
    }

    test('noise', () => {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), check), { numRuns: 1000 })
    })

    test('something right, damaged', () => {
      fc.assert(
        fc.property(valid, fc.array(anyChange, { minLength: 1, maxLength: 3 }), (bytes, changes) => {
          let damaged = Buffer.from(bytes)
          for (const { at, remove, insert } of changes) {
            const start = at % (damaged.length + 1)
            damaged = Buffer.concat([damaged.subarray(0, start), insert, damaged.subarray(start + remove)])
          }
          check(damaged)
        }),
        { numRuns: 1000 },
      )
    })
  },
)
