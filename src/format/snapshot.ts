import { ByteReader, type ByteString, fromByteString, toByteString } from '../base/bytes.ts'
import { idBytes, type ObjectId, objectIdAt, type SnapshotId, snapshotIdAt } from '../base/ids.ts'
import type { Compressor } from '../native/compress.ts'
import { CborMap, cborMap, decodeCbor, encodeCbor } from './cbor.ts'
import {
  corrupt,
  decodeRecordHeader,
  hashObject,
  MAX_PLAIN_BYTES,
  openStored,
  RECORD_HEADER_BYTES,
  recordLength,
  sealObject,
} from './object.ts'

/** The manifest of one backup: FORMAT.md §8. */
export interface Snapshot {
  readonly version: 1
  /** Milliseconds since 1970. */
  readonly timeMs: number
  readonly kind: SnapshotKind
  /** The root tree. */
  readonly tree: ObjectId
  /** The snapshot that changes were detected against. */
  readonly parent?: SnapshotId
  /** The absolute paths that were backed up, sorted. */
  readonly paths: readonly ByteString[]
  readonly host: string
  readonly user?: string
  readonly tags: readonly string[]
  /** Exclude patterns that were in force. */
  readonly excludes: readonly string[]
  /** Which program wrote it: `chainkeep 0.1.0`. */
  readonly program: string
  /** The snapshot that this one was rewritten from (by `tag` or `repair`). */
  readonly original?: SnapshotId
  readonly summary: SnapshotSummary
  /** What should be in the snapshot and is not, or is torn: at most MAX_LISTED_FAILURES of them … */
  readonly failures: readonly Failure[]
  /** … and how many there were. */
  readonly failureCount: number
}

/** Which earlier snapshot changes were detected against: none, the latest, or the latest full one. */
export type SnapshotKind = 'full' | 'incremental' | 'differential'

export interface SnapshotSummary {
  readonly filesNew: number
  readonly filesChanged: number
  readonly filesUnmodified: number
  readonly directories: number
  /** Files in the snapshot, and their bytes. */
  readonly totalFiles: number
  readonly totalBytes: number
  /** Bytes read from the source. */
  readonly bytesRead: number
  /** Bytes of new and changed files that were taken over instead, from the parent or an unfinished backup; absent for none. */
  readonly bytesTakenOver?: number
  /** Bytes that were not in the repository, before and after compression, metadata included. */
  readonly bytesAdded: number
  readonly bytesStored: number
  readonly chunksAdded: number
  readonly durationMs: number
}

export interface Failure {
  readonly path: ByteString
  readonly reason: string
}

export const MAX_LISTED_FAILURES = 1000
/** The longest record: nothing larger is read. */
export const MAX_SNAPSHOT_BYTES: number = RECORD_HEADER_BYTES + MAX_PLAIN_BYTES
const SNAPSHOT_KINDS: readonly SnapshotKind[] = ['full', 'incremental', 'differential']
const SUMMARY_KEYS = {
  filesNew: 'files-new',
  filesChanged: 'files-changed',
  filesUnmodified: 'files-unmodified',
  directories: 'directories',
  totalFiles: 'total-files',
  totalBytes: 'total-bytes',
  bytesRead: 'bytes-read',
  bytesTakenOver: 'bytes-taken-over',
  bytesAdded: 'bytes-added',
  bytesStored: 'bytes-stored',
  chunksAdded: 'chunks-added',
  durationMs: 'duration',
} as const satisfies Record<keyof SnapshotSummary, string>

/** The file of a snapshot, which is one object record, and its id, which is the file's name. The caller owns both. */
export function encodeSnapshot(snapshot: Snapshot, compressor: Compressor): { id: SnapshotId; bytes: Uint8Array } {
  const plain = encodeCbor(snapshotToMap(snapshot))
  const id = hashObject('snapshot', plain)
  const target = Buffer.alloc(RECORD_HEADER_BYTES + plain.length)
  const header = sealObject('snapshot', id, plain, compressor, target, 0)
  return { id: snapshotIdAt(id), bytes: target.subarray(0, recordLength(header)) }
}

/** Strict inverse; `id` is what the file is called. Throws BAD_FORMAT, TRUNCATED, CORRUPT or UNSUPPORTED. */
export function decodeSnapshot(bytes: Uint8Array, id: SnapshotId, file: string): Snapshot {
  const reader = new ByteReader(bytes, file)
  const header = decodeRecordHeader(reader)
  if (header.kind !== 'snapshot') reader.fail(`a ${header.kind}, not a snapshot`, 4)
  const stored = reader.bytesView(header.storedLength)
  reader.end()
  const plain = openStored(header, stored, file, 0)
  if (snapshotIdAt(hashObject('snapshot', plain)) !== id)
    throw corrupt(file, 0, 'a snapshot that is not what its name says')
  return snapshotFromMap(new CborMap(decodeCbor(plain, file), file))
}

function snapshotToMap(snapshot: Snapshot): Map<string | number, unknown> {
  const summary = cborMap(
    Object.entries(SUMMARY_KEYS).map(([field, key]) => [key, snapshot.summary[field as keyof SnapshotSummary]]),
  )
  return cborMap([
    ['version', snapshot.version],
    ['time', snapshot.timeMs],
    ['kind', snapshot.kind],
    ['tree', idBytes(snapshot.tree)],
    ['parent', snapshot.parent && idBytes(snapshot.parent)],
    ['paths', snapshot.paths.map(fromByteString)],
    ['host', snapshot.host],
    ['user', snapshot.user],
    ['tags', snapshot.tags],
    ['excludes', snapshot.excludes],
    ['program', snapshot.program],
    ['original', snapshot.original && idBytes(snapshot.original)],
    ['summary', summary],
    ['failures', snapshot.failures.map(({ path, reason }) => [fromByteString(path), reason])],
    ['failure-count', snapshot.failureCount],
  ])
}

function snapshotFromMap(map: CborMap): Snapshot {
  map.requireVersion('a snapshot')
  const kind = map.text('kind')
  return {
    version: 1,
    timeMs: map.integer('time', -MAX_TIME_MS, MAX_TIME_MS),
    kind: SNAPSHOT_KINDS.find((known) => known === kind) ?? map.fail('kind', 'a kind of snapshot'),
    tree: objectIdAt(map.id('tree')),
    parent: map.has('parent') ? snapshotIdAt(map.id('parent')) : undefined,
    paths: map
      .array('paths')
      .map((path) => (path instanceof Uint8Array ? toByteString(path) : map.fail('paths', 'an array of bytes'))),
    host: map.text('host'),
    user: map.optionalText('user'),
    tags: map.texts('tags'),
    excludes: map.texts('excludes'),
    program: map.text('program'),
    original: map.has('original') ? snapshotIdAt(map.id('original')) : undefined,
    summary: decodeSummary(map.map('summary')),
    failures: decodeFailures(map),
    failureCount: map.integer('failure-count'),
  }
}

function decodeSummary(map: CborMap): SnapshotSummary {
  const { bytesTakenOver, ...required } = SUMMARY_KEYS
  const entries = Object.entries(required).map(([field, key]) => [field, map.integer(key)])
  const summary = Object.fromEntries(entries) as Record<keyof typeof required, number>
  return { ...summary, bytesTakenOver: map.optionalInteger(bytesTakenOver) }
}

function decodeFailures(map: CborMap): Failure[] {
  const failures = map.array('failures')
  if (failures.length > MAX_LISTED_FAILURES) map.fail('failures', `an array of at most ${MAX_LISTED_FAILURES}`)
  return failures.map((item) => decodeFailure(item, map))
}

function decodeFailure(item: unknown, map: CborMap): Failure {
  if (!Array.isArray(item) || item.length !== 2) return map.fail('failures', 'an array of pairs')
  const [path, reason] = item as unknown[]
  if (!(path instanceof Uint8Array) || typeof reason !== 'string')
    return map.fail('failures', 'pairs of path and reason')
  return { path: toByteString(path), reason }
}

/** What a `Date` can hold. */
const MAX_TIME_MS = 8.64e15
