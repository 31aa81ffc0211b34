import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { FileCacheReader } from '../../src/backup/file-cache.ts'
import { ByteReader, type ByteString, displayBytes, toByteString } from '../../src/base/bytes.ts'
import { objectIdAt, packIdAt, snapshotIdAt } from '../../src/base/ids.ts'
import { parseCompression } from '../../src/cli/compression.ts'
import { parsePercent, parseSize } from '../../src/cli/sizes.ts'
import { parseTime } from '../../src/cli/times.ts'
import { decodeCbor } from '../../src/format/cbor.ts'
import { decodeConfig } from '../../src/format/config.ts'
import { decodeList } from '../../src/format/list.ts'
import { decodeLock } from '../../src/format/lock.ts'
import { attributesFromArray } from '../../src/format/node.ts'
import { decodeRecordHeader, hashObject, openRecord, openStored } from '../../src/format/object.ts'
import { decodePackFooter, decodePackHeader, decodePackTrailer } from '../../src/format/pack.ts'
import { decodeSnapshot } from '../../src/format/snapshot.ts'
import { decodeNode, decodeTree } from '../../src/format/tree.ts'
import { parseDuration } from '../../src/maintain/duration.ts'
import { walkRecords } from '../../src/maintain/salvage-pack.ts'
import { sha3_256 } from '../../src/native/hash.ts'
import { decodeLocations, decodeNextNumber, decodePackRecord } from '../../src/repository/index-layout.ts'
import { verifyTable } from '../../src/repository/index-tables.ts'
import { walkChunks } from '../../src/repository/lists.ts'
import { compilePatterns } from '../../src/repository/path-patterns.ts'
import { splitSnapshotPath } from '../../src/repository/snapshots.ts'
import { walkTree } from '../../src/repository/trees.ts'

/** Something that takes bytes, or text, which anybody may have written. */
export interface Target {
  /** Must end soon, return a value, or throw a ChainkeepError. */
  readonly run: (bytes: Buffer) => unknown
  /** Makes the checksums right, so that what is behind them is reached. Borrows nothing. */
  readonly mend?: (bytes: Buffer) => Buffer
}

const FILE = 'some file'
const ID = objectIdAt(new Uint8Array(32))
const KEY = Buffer.concat([Buffer.from([1]), Buffer.alloc(32)])
const text = (parse: (text: string) => unknown): Target => ({ run: (bytes) => parse(bytes.toString('utf8')) })

/** Overwrites the u32 at `at` by the CRC-32 of what is before it, or of `from` to `to`. */
function mendCrc(bytes: Buffer, at: number, from = 0, to = at, seed?: number): Buffer {
  if (at >= 0 && at + 4 <= bytes.length) bytes.writeUInt32LE(crc32(bytes.subarray(from, to), seed), at)
  return bytes
}

const mendRecord = (bytes: Buffer): Buffer => {
  if (bytes.length < 32) return bytes
  bytes.writeUInt32LE(Math.min(bytes.readUInt32LE(8), bytes.length - 32), 8)
  mendCrc(bytes, 24, 32, 32 + bytes.readUInt32LE(8))
  return mendCrc(bytes, 28)
}

const mendValue = (bytes: Buffer): Buffer => mendCrc(bytes, bytes.length - 4, 0, bytes.length - 4, crc32(KEY))

/** A file cache that is damaged is one that ends, and nothing to be refused. */
function openCache(): FileCacheReader | undefined {
  try {
    return FileCacheReader.open(folder, ID)
  } catch (error) {
    throw new Error('a file cache was refused', { cause: error })
  }
}

/** The files of one run, in a folder of its own. */
const folder = join(tmpdir(), `chainkeep-fuzz-${process.pid}`)
mkdirSync(join(folder, 'files'), { recursive: true })
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

export const TARGETS: Readonly<Record<string, Target>> = {
  cbor: { run: (bytes) => decodeCbor(bytes, FILE) },
  config: {
    run: (bytes) => decodeConfig(bytes, FILE),
    mend: (bytes) => {
      if (bytes.length < 44) return bytes
      bytes.writeUInt32LE(bytes.length - 44, 8)
      bytes.set(sha3_256(bytes.subarray(0, -32)), bytes.length - 32)
      return bytes
    },
  },
  lock: { run: (bytes) => decodeLock(bytes, FILE) },
  list: { run: (bytes) => decodeList(bytes, bytes[0] ?? 1, FILE) },
  node: { run: (bytes) => decodeNode(bytes, FILE) },
  tree: { run: (bytes) => decodeTree(bytes, FILE) },
  attributes: { run: (bytes) => attributesFromArray(decodeCbor(bytes, FILE), FILE) },
  'record-header': { run: (bytes) => decodeRecordHeader(new ByteReader(bytes, FILE)), mend: mendRecord },
  record: { run: (bytes) => openRecord(bytes, 'chunk', ID, FILE, 0), mend: mendRecord },
  'record-opened': {
    run(bytes) {
      const reader = new ByteReader(bytes, FILE)
      const header = decodeRecordHeader(reader)
      return openStored(header, reader.bytesView(header.storedLength), FILE, 0)
    },
    mend: mendRecord,
  },
  'damaged-pack': { run: (bytes) => [...walkRecords(bytes, FILE)], mend: mendRecord },
  snapshot: {
    run(bytes) {
      const reader = new ByteReader(bytes, FILE)
      const header = decodeRecordHeader(reader)
      const plain = openStored(header, reader.bytesView(header.storedLength), FILE, 0)
      return decodeSnapshot(bytes, snapshotIdAt(hashObject('snapshot', plain)), FILE)
    },
    mend: mendRecord,
  },
  'pack-header': { run: (bytes) => decodePackHeader(bytes, FILE) },
  'pack-end': {
    run(bytes) {
      const footer = decodePackFooter(bytes.subarray(-64), FILE, bytes.length)
      const header = bytes.subarray(0, 16)
      decodePackHeader(header, FILE)
      const trailer = bytes.subarray(footer.trailerOffset, -64)
      return decodePackTrailer(trailer, header, { ...footer, id: packIdAt(sha3_256(header, trailer)) }, FILE)
    },
    mend(bytes) {
      if (bytes.length < 80) return bytes
      bytes.writeUInt32LE(bytes.length, bytes.length - 56)
      bytes.writeUInt32LE(0, bytes.length - 52)
      const count = bytes.readUInt32LE(bytes.length - 64)
      if (count < 1000) bytes.writeUInt32LE(count * 48, bytes.length - 60)
      return mendCrc(bytes, bytes.length - 12, bytes.length - 64)
    },
  },
  'index-locations': { run: (bytes) => decodeLocations(KEY, bytes), mend: mendValue },
  'index-pack': { run: (bytes) => decodePackRecord(KEY, bytes), mend: mendValue },
  'index-number': { run: (bytes) => decodeNextNumber(bytes) },
  'index-table': { run: (bytes) => verifyTable(bytes, FILE) },
  'file-cache': {
    run(bytes) {
      writeFileSync(join(folder, 'files', ID), bytes)
      using reader = openCache()
      for (let i = 0; reader && i < 20; i++) {
        reader.enter(`d${i}` as ByteString, () => {})
        reader.entry(`f${i}` as ByteString, () => {})
        if (i % 3 === 2) reader.leave(() => {})
      }
    },
    mend(bytes) {
      if (bytes.length < 8) return bytes
      bytes.writeUInt32LE(Math.min(bytes.readUInt32LE(0), bytes.length - 8), 0)
      return mendCrc(bytes, 4, 8, 8 + bytes.readUInt32LE(0))
    },
  },
  // Whatever id is asked for, the same bytes come: nothing may loop.
  'tree-reader': {
    async run(bytes) {
      let nodes = 0
      for await (const node of walkTree(async () => bytes, ID)) nodes += node.name.length
      return nodes
    },
  },
  'list-reader': {
    async run(bytes) {
      let chunks = 0
      const size = bytes.length > 48 ? 70_201 : 1 // as those of the corpus
      for await (const { lengths } of walkChunks(
        async () => bytes,
        { height: 1 + ((bytes[0] ?? 0) % 16), id: ID },
        size,
      ))
        chunks += lengths.length
      return chunks
    },
  },
  size: text(parseSize),
  percent: text(parsePercent),
  duration: text(parseDuration),
  time: text((it) => parseTime(it, 0)),
  compression: text(parseCompression),
  'snapshot-path': text(splitSnapshotPath),
  patterns: text((it) => {
    const matcher = compilePatterns(it.split('\n'))
    for (const path of [`/${'a'.repeat(255)}`, '/data/blocks/blk00001.dat', `/${'a/'.repeat(100)}b`] as ByteString[])
      matcher.matches(path, matcher.mayMatchBelow(path))
  }),
  'displayed-name': { run: (bytes) => displayBytes(toByteString(bytes)) },
}
