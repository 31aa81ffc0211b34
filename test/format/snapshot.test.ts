import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { parseObjectId, parseSnapshotId, type SnapshotId, snapshotIdAt } from '../../src/base/ids.ts'
import { decodeCbor, encodeCbor } from '../../src/format/cbor.ts'
import { hashObject, RECORD_HEADER_BYTES, recordLength, sealObject } from '../../src/format/object.ts'
import { decodeSnapshot, encodeSnapshot, type Snapshot } from '../../src/format/snapshot.ts'
import { type Compressor, createCompressor } from '../../src/native/compress.ts'
import { anySnapshot } from '../helpers/arbitraries.ts'
import { expectRefusal, flipped, truncations } from '../helpers/refusals.ts'

const FILE = 'snapshots/abc'
const compressor = createCompressor(3)
const raw: Compressor = { compressInto: () => undefined }
const SNAPSHOT: Snapshot = {
  version: 1,
  timeMs: 1_700_000_000_000,
  kind: 'incremental',
  tree: parseObjectId('ab'.repeat(32)),
  parent: parseSnapshotId('cd'.repeat(32)),
  paths: [byteStringOf('/srv/node'), '/srv/\xff' as ByteString],
  host: 'node-1',
  user: 'litecoin',
  tags: ['daily'],
  excludes: ['*.log'],
  program: 'chainkeep 0.1.0',
  original: parseSnapshotId('ef'.repeat(32)),
  summary: {
    filesNew: 1,
    filesChanged: 2,
    filesUnmodified: 3,
    directories: 4,
    totalFiles: 6,
    totalBytes: 2 ** 45,
    bytesRead: 100,
    bytesAdded: 90,
    bytesStored: 80,
    chunksAdded: 7,
    durationMs: 1234,
  },
  failures: [{ path: byteStringOf('/srv/node/.cookie'), reason: 'permission denied' }],
  failureCount: 1,
}
const { id: ID, bytes: BYTES } = encodeSnapshot(SNAPSHOT, raw)

/** The file of a snapshot with some fields changed, under the name that fits. */
function changed(change: (fields: Map<string, unknown>) => void): { id: SnapshotId; bytes: Uint8Array } {
  const fields = decodeCbor(BYTES.subarray(RECORD_HEADER_BYTES), FILE) as Map<string, unknown>
  change(fields)
  return sealed('snapshot', encodeCbor(fields))
}

function sealed(kind: 'snapshot' | 'tree', plain: Uint8Array): { id: SnapshotId; bytes: Uint8Array } {
  const id = hashObject(kind, plain)
  const target = Buffer.alloc(RECORD_HEADER_BYTES + plain.length)
  const header = sealObject(kind, id, plain, raw, target, 0)
  return { id: snapshotIdAt(id), bytes: target.subarray(0, recordLength(header)) }
}

test('decoding is the inverse of encoding', () => {
  expect(decodeSnapshot(BYTES, ID, FILE)).toEqual(SNAPSHOT)
  fc.assert(
    fc.property(anySnapshot, (snapshot) => {
      const { id, bytes } = encodeSnapshot(snapshot, compressor)
      expect(decodeSnapshot(bytes, id, FILE)).toEqual(snapshot)
    }),
  )
})

test('the id is that of the plain bytes, however they are stored', () => {
  const many = { ...SNAPSHOT, excludes: new Array(100).fill('*.log') }
  const [stored, compressed] = [encodeSnapshot(many, raw), encodeSnapshot(many, compressor)]
  expect(compressed.bytes.length).toBeLessThan(stored.bytes.length)
  expect(compressed.id).toBe(stored.id)
  const plain = stored.bytes.subarray(RECORD_HEADER_BYTES)
  expect(createHash('shake256', { outputLength: 32 }).update(plain).digest('hex')).toBe(stored.id)
  expect(decodeSnapshot(compressed.bytes, compressed.id, FILE)).toEqual(many)
})

test('every truncation, and bytes too many, are refused', () => {
  for (const short of truncations(BYTES)) expectRefusal(() => decodeSnapshot(short, ID, FILE), 'TRUNCATED', FILE)
  expectRefusal(() => decodeSnapshot(Buffer.concat([BYTES, BYTES]), ID, FILE), 'BAD_FORMAT', FILE)
})

test('every flipped bit is found', () => {
  const compressed = encodeSnapshot(SNAPSHOT, compressor)
  for (const { id, bytes } of [{ id: ID, bytes: BYTES }, compressed])
    for (let bit = 0; bit < bytes.length * 8; bit++)
      expectRefusal(() => decodeSnapshot(flipped(bytes, bit), id, FILE), ['BAD_FORMAT', 'CORRUPT'], FILE)
})

test('a snapshot under another name is refused', () => {
  expectRefusal(() => decodeSnapshot(BYTES, parseSnapshotId('00'.repeat(32)), FILE), 'CORRUPT', FILE)
})

test('another kind of object is no snapshot', () => {
  const tree = sealed('tree', BYTES.subarray(RECORD_HEADER_BYTES))
  expect(tree.id).toBe(ID)
  const error = expectRefusal(() => decodeSnapshot(tree.bytes, ID, FILE), 'BAD_FORMAT', FILE)
  expect(error.details).toEqual({ file: FILE, offset: 4 })
})

describe('fields', () => {
  const refused = (change: (fields: Map<string, unknown>) => void, code: 'BAD_FORMAT' | 'UNSUPPORTED'): void => {
    const { id, bytes } = changed(change)
    expectRefusal(() => decodeSnapshot(bytes, id, FILE), code, FILE)
  }

  test('that are unknown are passed over', () => {
    const { id, bytes } = changed((fields) => fields.set('future', true))
    expect(decodeSnapshot(bytes, id, FILE)).toEqual(SNAPSHOT)
  })

  test('of another version are not looked at', () => {
    for (const version of [0, 2])
      refused((fields) => {
        fields.clear()
        fields.set('version', version)
      }, 'UNSUPPORTED')
  })

  test.each<[string, unknown[]]>([
    ['version', [undefined, 'one', -1]],
    ['time', [undefined, 8.64e15 + 1, -8.64e15 - 1, 'now', 2n ** 63n]],
    ['kind', [undefined, 'partial', 1]],
    ['tree', [undefined, Buffer.alloc(31), 'ab'.repeat(16)]],
    ['parent', [Buffer.alloc(33), null]],
    ['paths', [undefined, '/srv', ['/srv'], [1]]],
    ['host', [undefined, 1, Buffer.from('host')]],
    ['user', [1, null]],
    ['tags', [undefined, 'daily', [1]]],
    ['excludes', [undefined, [Buffer.from('x')]]],
    ['program', [undefined, 1]],
    ['original', [Buffer.alloc(0), 'x']],
    ['summary', [undefined, [], new Map(), new Map([['files-new', -1]])]],
    [
      'failures',
      [
        new Array(1001).fill([Buffer.from('a'), 'b']),
        undefined,
        1,
        [1],
        [['a', 'b']],
        [[Buffer.from('a')]],
        [[Buffer.from('a'), 1]],
      ],
    ],
    ['failure-count', [undefined, -1, 1.5]],
  ])('%s', (key, values) => {
    for (const value of values)
      refused((fields) => (value === undefined ? fields.delete(key) : fields.set(key, value)), 'BAD_FORMAT')
  })

  test('that may be absent', () => {
    const { id, bytes } = changed((fields) => {
      for (const key of ['parent', 'user', 'original']) fields.delete(key)
    })
    const { parent, user, original, ...rest } = SNAPSHOT
    expect(decodeSnapshot(bytes, id, FILE)).toEqual(rest)
  })
})
