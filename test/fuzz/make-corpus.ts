import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { FileCacheWriter } from '../../src/backup/file-cache.ts'
import type { ByteString } from '../../src/base/bytes.ts'
import { ID_BYTES, objectIdAt, packIdAt } from '../../src/base/ids.ts'
import { encodeCbor } from '../../src/format/cbor.ts'
import { encodeConfig } from '../../src/format/config.ts'
import { encodeList } from '../../src/format/list.ts'
import { encodeLock } from '../../src/format/lock.ts'
import { hashObject, RECORD_HEADER_BYTES, recordLength, sealObject } from '../../src/format/object.ts'
import { encodeSnapshot } from '../../src/format/snapshot.ts'
import { encodeInner, encodeNode, joinLeaf } from '../../src/format/tree.ts'
import { createCompressor } from '../../src/native/compress.ts'
import { encodeLocations, encodeNextNumber, encodePackRecord } from '../../src/repository/index-layout.ts'
import { PackWriter } from '../../src/repository/pack-writer.ts'
import { anyConfig, anyLock, anyNode, anySnapshot } from '../helpers/arbitraries.ts'
import { sealAll } from '../helpers/sealed.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { keep } from './loop.ts'

// Makes what fixtures/corpus begins with, and never removes anything: what has found a mistake once stays there.
//
//   node -e "import('vite').then(async ({ runnerImport }) =>
//     (await runnerImport('./test/fuzz/make-corpus.ts', { oxc: { target: 'es2022' } })).module.makeCorpus('fixtures/corpus'))"

const ID = objectIdAt(new Uint8Array(ID_BYTES))
const KEY = Buffer.concat([Buffer.from([1]), Buffer.alloc(ID_BYTES)])

export function makeCorpus(folder: string): void {
  for (const [target, inputs] of Object.entries(makeInputs()))
    for (const input of inputs) keep(join(folder, target), typeof input === 'string' ? Buffer.from(input) : input)
}

function makeInputs(): Record<string, readonly (Uint8Array | string)[]> {
  const some = <T>(arbitrary: fc.Arbitrary<T>, count = 4): T[] => fc.sample(arbitrary, { numRuns: count, seed: 1 })
  const nodes = some(anyNode, 6).map(encodeNode)
  const inner = encodeInner(1, [
    { firstName: 'a' as ByteString, id: ID, count: 2 },
    { firstName: 'b' as ByteString, id: ID, count: 1 },
  ])
  const trees = [...nodes.map((node) => joinLeaf([node])), joinLeaf([]), inner]
  const lists = [1, 2].map((height) => encodeList(height, seededBytes('ids', 3 * ID_BYTES), [1, 200, 70_000]))
  const records = [Buffer.from('raw'), Buffer.from('text '.repeat(50)), keyed()].map(record)
  const pack = makePack()
  const snapshots = some(anySnapshot, 4).map((snapshot) => encodeSnapshot(snapshot, createCompressor(3)).bytes)
  const location = { packNumber: 1, entryNumber: 2, offset: 16, storedLength: 5, plainLength: 5, codec: 0 }
  const packRecord = { number: 1, id: packIdAt(new Uint8Array(32)), packClass: 'data', bytes: 100, objects: 2 } as const
  return {
    cbor: [...some(fc.jsonValue()).map(encodeCbor), new Uint8Array(5000).fill(0x81)],
    config: some(anyConfig).map(encodeConfig),
    lock: some(anyLock).map(encodeLock),
    list: lists,
    node: nodes,
    tree: trees,
    attributes: [encodeCbor([[Buffer.from('user.a'), Buffer.from('value')]]), encodeCbor([])],
    'record-header': records.map((each) => each.subarray(0, RECORD_HEADER_BYTES)),
    record: records,
    'record-opened': records,
    'damaged-pack': [pack, pack.subarray(0, 200), Buffer.concat(records)],
    snapshot: snapshots,
    'pack-header': [pack.subarray(0, 16)],
    'pack-end': [pack],
    'index-locations': [encodeLocations(KEY, [location]), encodeLocations(KEY, [location, location])],
    'index-pack': [encodePackRecord(KEY, packRecord)],
    'index-number': [encodeNextNumber(7)],
    'file-cache': [fileCache()],
    'tree-reader': trees,
    'list-reader': lists,
    size: ['64K', '1.5GiB', '4096', '9'.repeat(30), '1e9'],
    percent: ['5%', '100%', '0.001%'],
    duration: ['1y6m7d12h', '0h', '999999y'],
    time: ['now', '2026-11-21', '2026-11-21 07:00:00', '2026-02-30T25:00:00+99:99'],
    compression: ['auto', '-7', '19', 'toString'],
    'snapshot-path': ['latest', 'latest~3:a/b', ':', 'abcd:///x/'],
    patterns: [
      '*.log',
      '/a/**/b/',
      '!keep[!a-z]?',
      '*a*a*a*a*a*a*a*ab',
      '**/a/**/a/**/a/**/b',
      '[z-a]\\[[]',
      '[]',
      'a\\',
    ],
    'displayed-name': ['name', 'ü', '\\x41', Buffer.from('ff00e28080', 'hex')],
  }
}

/** As a block file under a key: stored with codec 4. */
const keyed = (): Buffer =>
  Buffer.from(Array.from({ length: 6000 }, (_, i) => (i % 9 ? 0 : i & 255) ^ (7 + 31 * (i % 8))))

function record(plain: Uint8Array): Buffer {
  const target = Buffer.alloc(RECORD_HEADER_BYTES + plain.length)
  const header = sealObject('chunk', hashObject('chunk', plain), plain, createCompressor('auto'), target, 0)
  return target.subarray(0, recordLength(header))
}

function makePack(): Buffer {
  const writer = new PackWriter('data')
  writer.add(sealAll('chunk', [Buffer.from('hello'), Buffer.alloc(200)]))
  return Buffer.concat([...writer.take(), ...writer.finish().parts])
}

function fileCache(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'chainkeep-corpus-'))
  const [node] = fc.sample(anyNode, { numRuns: 1, seed: 1 }).map(encodeNode)
  const known = { signature: 's'.repeat(40), node: node! }
  using writer = new FileCacheWriter(folder, 1_700_000_000_000)
  writer.enter('d0' as ByteString)
  for (const name of ['f0', 'f1'] as ByteString[]) writer.entry(name, known)
  writer.leave(known)
  writer.commit(ID)
  const bytes = readFileSync(join(folder, 'files', ID))
  rmSync(folder, { recursive: true })
  return bytes
}
