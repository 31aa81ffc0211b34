import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ByteString } from '../../src/base/bytes.ts'
import { type ObjectId, objectIdAt } from '../../src/base/ids.ts'
import { encodeCbor } from '../../src/format/cbor.ts'
import { encodeList } from '../../src/format/list.ts'
import { type Node, nodeToMap } from '../../src/format/node.ts'
import { hashObject, KIND_CODES, type MetadataKind, type ObjectKind } from '../../src/format/object.ts'
import { packClassOf } from '../../src/format/pack.ts'
import type { Snapshot } from '../../src/format/snapshot.ts'
import { encodeInner, joinLeaf } from '../../src/format/tree.ts'
import { PackWriter } from '../../src/repository/pack-writer.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { saveSnapshot } from '../../src/repository/snapshots.ts'
import { createRepository, openTestRepository, publishing } from '../helpers/repository.ts'
import { runCli } from '../helpers/run-cli.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { ownMeta, snapshotOf } from '../helpers/store-tree.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

// Repositories that somebody has made to harm whoever looks into them. All that is stored here is right in form, checksums
// and all, as far as the case allows. Every command must end soon, with little memory, and write nothing wrong.

const MAX_CPU_MS = 5000
const MAX_BYTES = 200 * 2 ** 20

let tmp: TemporaryDirectory
let repository: Repository
beforeEach(async () => {
  tmp = await temporaryDirectory()
  await createRepository(tmp.path)
  repository = await openTestRepository(tmp.path)
})
afterEach(async () => {
  await repository.close()
  await tmp[Symbol.asyncDispose]()
})

/** A record with whatever header and stored bytes, and right checksums. */
function record(kind: ObjectKind, id: Uint8Array, codec: number, plainLength: number, stored: Uint8Array): Buffer {
  const header = Buffer.alloc(32)
  header.write('CKOB')
  header[4] = KIND_CODES[kind]
  header[5] = codec
  header.writeUInt32LE(stored.length, 8)
  header.writeUInt32LE(plainLength, 12)
  header.set(id.subarray(0, 8), 16)
  header.writeUInt32LE(crc32(stored), 24)
  header.writeUInt32LE(crc32(header.subarray(0, 28)), 28)
  return Buffer.concat([header, stored])
}

/** A pack of one record, named as it should be. */
async function storePack(kind: ObjectKind, id: Uint8Array, codec: number, plainLength: number, stored: Uint8Array) {
  const writer = new PackWriter(packClassOf(kind))
  const header = { kind, codec, storedLength: stored.length, plainLength }
  writer.add({ ids: id, headers: [header], records: record(kind, id, codec, plainLength, stored) })
  const { packClass, id: name, parts } = writer.finish()
  await repository.backend.put(packClass, name, parts)
}

const store = async (kind: ObjectKind, plain: Uint8Array): Promise<ObjectId> => {
  const id = hashObject(kind, plain)
  await storePack(kind, id, 0, plain.length, plain)
  return objectIdAt(id)
}

const file = (name: string, size: number, height: number, id: ObjectId): Node => ({
  ...ownMeta(),
  type: 'file',
  name: name as ByteString,
  size,
  content: { height, id },
})

const directory = (name: string, tree: ObjectId): Node => ({
  ...ownMeta(),
  type: 'directory',
  name: name as ByteString,
  tree,
})

const leaf = (nodes: readonly Node[]): Uint8Array => joinLeaf(nodes.map((node) => encodeCbor(nodeToMap(node))))

/** A snapshot of a sound file and one more entry. */
async function storeWith(node: Node, fields: Partial<Snapshot> = {}): Promise<void> {
  const good = file('good', 4, 0, await store('chunk', Buffer.from('good')))
  const nodes = [node, good].sort((a, b) => (a.name < b.name ? -1 : 1))
  await saveSnapshot({ ...snapshotOf(await store('tree', leaf(nodes))), ...fields }, publishing(repository))
  await repository.close()
}

const COMMANDS = {
  check: ['check'],
  read: ['check', '--read-data'],
  restore: ['restore', 'latest', '-t', 'target', '--verify'],
  ls: ['ls', 'latest'],
  find: ['find', '*'],
  diff: ['diff', 'latest', 'latest'],
  dump: ['dump', 'latest', '/bad'],
  stats: ['stats'],
  snapshots: ['snapshots'],
  packs: ['repair', 'packs', '-n'],
  repair: ['repair', 'snapshots', '-n'],
} as const
type Command = keyof typeof COMMANDS
/** Those that open data. */
const OPENING: readonly Command[] = ['read', 'restore', 'dump']

/** Runs commands and answers how each ended. */
async function runAll(names: readonly Command[]): Promise<Partial<Record<Command, number>>> {
  const codes: Partial<Record<Command, number>> = {}
  for (const name of names) {
    const memory = process.memoryUsage()
    const cpu = process.cpuUsage()
    const { code, stdout, stderr } = await runCli(tmp.path, COMMANDS[name])
    const { user, system } = process.cpuUsage(cpu)
    const now = process.memoryUsage()
    expect(stderr, name).not.toMatch(/internal error|RangeError|TypeError/)
    for (const char of ['\u001b', '\u202e']) expect(stdout + stderr, name).not.toContain(char)
    expect((user + system) / 1000, name).toBeLessThan(MAX_CPU_MS)
    expect(now.heapUsed + now.external - memory.heapUsed - memory.external, name).toBeLessThan(MAX_BYTES)
    codes[name] = code
  }
  return codes
}

const allCommands = Object.keys(COMMANDS) as Command[]

/** That what is bad was found, and only what is good restored. */
async function expectRefused(names: readonly Command[] = OPENING): Promise<void> {
  const { dump, ...codes } = await runAll(names)
  expect(codes).toMatchObject({ read: 1, restore: 1 })
  expect(dump).toBeGreaterThan(0)
  expect(readdirSync(join(tmp.path, 'target')).filter((name) => name !== 'bad')).toEqual(['good'])
  expect(readFileSync(join(tmp.path, 'target/good'), 'latin1')).toBe('good')
  const bad = join(tmp.path, 'target/bad')
  expect(existsSync(bad) ? readdirSync(bad) : []).toEqual([])
}

const { compress } = createRequire(import.meta.url)('zstd-napi') as { compress(bytes: Uint8Array): Buffer }
const PLAIN = seededBytes('plain', 50).toString('hex').repeat(100) // 10 000 bytes
const plain = Buffer.from(PLAIN)
const KEY = Buffer.from('0102030405060708', 'hex')
/** A frame of run-length blocks that says nothing, or `size`, of its length (RFC 8878 §3.1.1). */
const frame = (blocks: number, size?: bigint): Buffer => {
  const content = Buffer.alloc(8)
  content.writeBigUInt64LE(size ?? 0n)
  const block = Buffer.from([
    ...[0, 8, 16].map((shift) => (((128 * 1024) << 3) | 2) >> shift).map((byte) => byte & 255),
    0,
  ])
  const last = Buffer.from([(1 << 3) | 3, 0, 0, 0])
  const head = size === undefined ? [0x00, 0x58] : [0xe0, ...content]
  return Buffer.concat([Buffer.from('28b52ffd', 'hex'), Buffer.from(head), ...Array(blocks).fill(block), last])
}

describe('a frame that', () => {
  const FRAMES: readonly (readonly [string, Uint8Array])[] = [
    ['holds more than the record says', compress(Buffer.alloc(2 ** 24))],
    ['holds less', compress(plain.subarray(0, 9000))],
    ['holds something else', compress(Buffer.alloc(10_000))],
    ['does not say how much it holds, and holds a gigabyte', frame(8000)],
    ['claims a terabyte', frame(1, 2n ** 40n)],
    ['claims all that a number can', frame(1, 2n ** 64n - 1n)],
    ['claims what the record says, and holds a gigabyte', frame(8000, 10_000n)],
    ['has another after it', Buffer.concat([compress(plain), compress(plain)])],
    ['is cut off', compress(plain).subarray(0, -5)],
    ['is to be skipped', Buffer.from('502a4d1804000000aabbccdd', 'hex')],
    ['is none', Buffer.from('no frame')],
  ]
  for (const [codec, key] of [
    [1, Buffer.alloc(0)],
    [4, KEY],
  ] as const)
    test.each(FRAMES)(`%s, in codec ${codec}`, async (_, stored) => {
      const bytes = Buffer.concat([key, stored])
      const id = hashObject('chunk', plain)
      const length = Math.max(10_000, bytes.length + 1)
      await storePack('chunk', id, codec, length, bytes)
      await storeWith(file('bad', length, 0, objectIdAt(id)))
      await expectRefused()
    })

  test('is right behind a key is read', async () => {
    const keyed = plain.map((byte, i) => byte ^ KEY[i % 8]!)
    const id = hashObject('chunk', plain)
    await storePack('chunk', id, 4, plain.length, Buffer.concat([KEY, compress(keyed)]))
    await storeWith(file('bad', plain.length, 0, objectIdAt(id)))
    expect(await runAll(OPENING)).toEqual({ read: 0, restore: 0, dump: 0 })
    expect(readFileSync(join(tmp.path, 'target/bad'))).toEqual(plain)
  })

  test.each([
    ['too short a key', 4, KEY],
    ['a codec that is reserved', 2, compress(plain)],
    ['a codec that nobody knows', 77, compress(plain)],
  ])('stands behind %s', async (_, codec, stored) => {
    const id = hashObject('chunk', plain)
    await storePack('chunk', id, codec, plain.length, stored)
    await storeWith(file('bad', plain.length, 0, objectIdAt(id)))
    await expectRefused()
  })
})

describe('an object that', () => {
  test('claims the id of another is not believed, and the other is found where it is', async () => {
    const evil = Buffer.from('evil')
    const id = hashObject('chunk', Buffer.from('fine'))
    await storePack('chunk', id, 0, 4, evil)
    await storeWith(file('bad', 4, 0, objectIdAt(id)))
    await expectRefused()
    repository = await openTestRepository(tmp.path)
    await store('chunk', Buffer.from('fine'))
    await repository.close()
    expect(await runAll(['check', ...OPENING])).toEqual({ check: 0, read: 1, restore: 0, dump: 0 })
    expect(readFileSync(join(tmp.path, 'target/bad'), 'latin1')).toBe('fine')
  })

  test.each<[string, MetadataKind, () => Uint8Array]>([
    ['is a tree that nests deeply', 'tree', () => Buffer.alloc(1_000_000, 0x81)],
    ['is a tree of maps in maps', 'tree', () => Buffer.from('a100'.repeat(200_000), 'hex')],
    ['is a tree that claims more items than there are', 'tree', () => Buffer.from('82009b001fffffffffffff', 'hex')],
    ['is a tree that claims a text of exabytes', 'tree', () => Buffer.from('82005b7fffffffffffffff', 'hex')],
    ['is a tree of trees that are not there', 'tree', () => encodeInner(8, [{ firstName: 'a' as ByteString, id: objectIdAt(seededBytes('x', 32)), count: 2 ** 53 - 1 }])], // biome-ignore format: short
    ['is a chunk', 'tree', () => Buffer.from('good')],
  ])('%s spoils its directory alone', async (_, kind, make) => {
    await storeWith(directory('bad', await store(kind, make())))
    await expectRefused(allCommands)
  })

  test.each<[string, number, number, () => Uint8Array]>([
    ['is a list that claims 2^32 entries', 1, 100, () => Buffer.concat([Buffer.from([1, 0, 0, 0, 255, 255, 255, 255]), Buffer.alloc(80)])], // biome-ignore format: short
    ['is a list of another height', 16, 100, () => encodeList(1, seededBytes('x', 32), [100])],
    ['is a list of petabytes', 1, 2 ** 53 - 1, () => encodeList(1, seededBytes('x', 64), [2 ** 53 - 2, 1])],
    ['is a list whose sum is not a number', 1, 2 ** 53 - 1, () => encodeList(1, seededBytes('x', 64), [2 ** 53 - 1, 2 ** 53 - 1])], // biome-ignore format: short
  ])('%s spoils its file alone', async (_, height, size, make) => {
    await storeWith(file('bad', size, height, await store('list', make())))
    await expectRefused()
  })

  test('is of another kind under a right id is not found', async () => {
    const text = Buffer.from('text')
    await storePack('list', hashObject('chunk', text), 0, 4, text)
    await storeWith(file('bad', 4, 0, objectIdAt(hashObject('chunk', text))))
    await expectRefused()
  })
})

test('directories that hold one another many times over are looked at once, and no longer than is wished', async () => {
  let tree = await store('tree', leaf([file('good', 4, 0, await store('chunk', Buffer.from('good')))]))
  for (let depth = 0; depth < 12; depth++)
    tree = await store('tree', leaf(Array.from({ length: 100 }, (_, i) => directory(String(100 + i), tree))))
  await saveSnapshot(snapshotOf(tree), publishing(repository))
  await repository.close()
  for (const argv of [['check'], ['check', '--read-data'], ['repair', 'snapshots', '-n'], ['prune', '-n']]) {
    const spent = process.cpuUsage()
    expect((await runCli(tmp.path, argv)).code, argv[0]).toBe(0)
    expect(process.cpuUsage(spent).user / 1000).toBeLessThan(MAX_CPU_MS)
  }
  for (const argv of [
    ['ls', '--recursive', 'latest'],
    ['find', 'nothing'],
    ['restore', 'latest', '-n', '-t', 'target'],
  ]) {
    const before = process.memoryUsage().heapUsed
    const result = await runCli(tmp.path, argv, { signal: AbortSignal.timeout(500) })
    expect(result.code, `${argv[0]} ${result.stderr.slice(0, 300)}`).toBe(130)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(MAX_BYTES)
  }
})

test('a snapshot may say what it likes of paths, hosts and times', async () => {
  const good = file('bad', 4, 0, await store('chunk', Buffer.from('fine')))
  const sequence = '\x1b]0;title\x07\u202e'
  await storeWith(good, {
    paths: ['/../..', '/\0', `/${'x'.repeat(100_000)}`, sequence].sort() as ByteString[],
    host: sequence,
    user: sequence.repeat(100),
    tags: [sequence, '../..', ''],
    excludes: ['*a'.repeat(1000)],
    program: sequence,
    timeMs: 8.64e15,
    failures: [{ path: '/../../x' as ByteString, reason: sequence }],
    failureCount: 2 ** 40,
  })
  const codes = await runAll(allCommands)
  expect(codes).toMatchObject({ check: 0, read: 0, restore: 0, ls: 0, dump: 0, snapshots: 0 })
  expect(readdirSync(join(tmp.path, 'target'))).toEqual(['bad', 'good'])
  expect((await runCli(tmp.path, ['forget', '--keep-last', '1', '-n'])).code).toBe(0)
})
