import fc from 'fast-check'
import { type ByteString, toByteString } from '../../src/base/bytes.ts'
import { type ObjectId, objectIdAt, packIdAt, type SnapshotId, snapshotIdAt } from '../../src/base/ids.ts'
import type { Condemned } from '../../src/format/condemned.ts'
import type { RepositoryConfig } from '../../src/format/config.ts'
import type { LockFile } from '../../src/format/lock.ts'
import type { Node } from '../../src/format/node.ts'
import type { Snapshot } from '../../src/format/snapshot.ts'

const idOf32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
export const anyObjectId: fc.Arbitrary<ObjectId> = idOf32.map((bytes) => objectIdAt(bytes))
const anySnapshotId: fc.Arbitrary<SnapshotId> = idOf32.map((bytes) => snapshotIdAt(bytes))

const anyByteString: fc.Arbitrary<ByteString> = fc.uint8Array({ maxLength: 12 }).map(toByteString)

/** What may stand in a directory: any bytes, and often few different ones, so that they meet. */
export const anyName: fc.Arbitrary<ByteString> = fc
  .oneof(
    fc.uint8Array({ minLength: 1, maxLength: 12 }).map(toByteString),
    fc.constantFrom('a', 'b', 'ab', '...', '\xff', ' ', '\n').map((name) => name as ByteString),
  )
  .filter((name) => name !== '.' && name !== '..' && !/[/\0]/.test(name))

const u32 = fc.nat(2 ** 32 - 1)
const safeInteger = fc.maxSafeNat()
const anyHex = (digits: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: digits / 2, maxLength: digits / 2 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const anyText = fc.string({ unit: 'grapheme', maxLength: 12 })
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined })
const attributeName = fc.uint8Array({ minLength: 1, maxLength: 9 }).filter((bytes) => !bytes.includes(0))
const anyAttributes = fc
  .uniqueArray(fc.record({ name: attributeName.map(toByteString), value: fc.uint8Array({ maxLength: 20 }) }), {
    maxLength: 3,
    selector: ({ name }) => name,
  })
  .map((attributes) => attributes.sort((a, b) => (a.name < b.name ? -1 : 1)))
const base = {
  name: anyName,
  mode: fc.nat(0o7777),
  uid: u32,
  gid: u32,
  user: optional(anyText),
  group: optional(anyText),
  mtimeNs: optional(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  attributes: optional(fc.oneof(anyAttributes, anyObjectId)),
  linkGroup: optional(fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex'))),
}
const flag = fc.constantFrom(undefined, true)
const anyContent = fc.record({ height: fc.nat(16), id: anyObjectId })

export const anyNode: fc.Arbitrary<Node> = fc.oneof(
  fc.record({ ...base, type: fc.constant('file' as const), size: fc.constant(0), sparse: flag, torn: flag }),
  fc.record({
    ...base,
    type: fc.constant('file' as const),
    size: safeInteger.map((size) => size || 1),
    content: anyContent,
    sparse: flag,
    torn: flag,
  }),
  fc.record({ ...base, type: fc.constant('directory' as const), tree: anyObjectId }),
  fc.record({
    ...base,
    type: fc.constant('symlink' as const),
    target: anyByteString.filter((target) => target !== '' && !target.includes('\0')),
  }),
  fc.record({ ...base, type: fc.constant('fifo' as const) }),
  fc.record({
    ...base,
    type: fc.constantFrom('char-device' as const, 'block-device' as const),
    major: u32,
    minor: u32,
  }),
)

const texts = fc.array(anyText, { maxLength: 3 })
export const anySnapshot: fc.Arbitrary<Snapshot> = fc.record({
  version: fc.constant(1 as const),
  timeMs: fc.integer({ min: -8.64e15, max: 8.64e15 }),
  kind: fc.constantFrom('full' as const, 'incremental' as const, 'differential' as const),
  tree: anyObjectId,
  parent: optional(anySnapshotId),
  paths: fc.array(anyByteString, { maxLength: 3 }),
  host: anyText,
  user: optional(anyText),
  tags: texts,
  excludes: texts,
  program: anyText,
  original: optional(anySnapshotId),
  summary: fc.record({
    filesNew: safeInteger,
    filesChanged: safeInteger,
    filesUnmodified: safeInteger,
    directories: safeInteger,
    totalFiles: safeInteger,
    totalBytes: safeInteger,
    bytesRead: safeInteger,
    bytesTakenOver: optional(safeInteger),
    bytesAdded: safeInteger,
    bytesStored: safeInteger,
    chunksAdded: safeInteger,
    durationMs: safeInteger,
  }),
  failures: fc.array(fc.record({ path: anyByteString, reason: anyText }), { maxLength: 3 }),
  failureCount: safeInteger,
})

const even = (min: number, max: number): fc.Arbitrary<number> =>
  fc.integer({ min: Math.ceil(min / 2), max: Math.floor(max / 2) }).map((half) => half * 2)

export const anyConfig: fc.Arbitrary<RepositoryConfig> = fc.record({
  version: fc.constant(1 as const),
  repositoryId: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  createdMs: safeInteger,
  chunker: fc.record({
    minBytes: even(64, 2 ** 18),
    averageBytes: even(2 ** 18 + 2, 2 ** 20),
    maxBytes: even(2 ** 20 + 2, 2 ** 24),
    level: fc.nat(3),
    segmentBytes: fc.integer({ min: 2 ** 24, max: 2 ** 30 }),
  }),
  readFeatures: fc.constant([]),
  writeFeatures: texts,
})

/** Sorted, each once. */
const anyIds = <Id extends string>(idAt: (bytes: Uint8Array) => Id): fc.Arbitrary<Id[]> =>
  fc.uniqueArray(fc.uint8Array({ minLength: 32, maxLength: 32 }).map(idAt), { maxLength: 4 }).map((ids) => ids.sort())

export const anyCondemned: fc.Arbitrary<Condemned> = fc.record({
  stage: fc.constantFrom('condemned' as const, 'sentenced' as const),
  timeMs: fc.nat(2 ** 42),
  host: anyText,
  pid: fc.integer({ min: 1, max: 2 ** 31 }),
  data: anyIds(packIdAt),
  meta: anyIds(packIdAt),
  snapshots: anyIds(snapshotIdAt),
})

export const anyLock: fc.Arbitrary<LockFile> = fc.record({
  mode: fc.constantFrom('read' as const, 'write' as const, 'prune' as const),
  host: anyText,
  pid: fc.integer({ min: 1, max: 2 ** 31 }),
  machine: anyText,
  boot: anyText,
  space: anyText,
  started: anyText,
  sinceMs: fc.nat(2 ** 42),
  writer: anyHex(16),
  knows: fc.array(anyHex(32), { maxLength: 5 }),
})
