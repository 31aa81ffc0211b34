import { createHash } from 'node:crypto'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localBackend } from '../../src/backend/local.ts'
import { type ByteString, displayBytes, joinPath } from '../../src/base/bytes.ts'
import { ID_BYTES, type ObjectId, objectIdAt } from '../../src/base/ids.ts'
import type { FileNode, Node } from '../../src/format/node.ts'
import { walkChunks } from '../../src/repository/lists.ts'
import { readPackTrailer } from '../../src/repository/pack-trailer.ts'
import { openRepository, type Repository } from '../../src/repository/repository.ts'
import { listSnapshots } from '../../src/repository/snapshots.ts'
import { findNode, loadAttributes, walkTree } from '../../src/repository/trees.ts'
import type { Golden, GoldenEntry } from '../helpers/golden.ts'
import { testEnvironment } from '../helpers/repository.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

/** A repository of format version 1 as the first program left it, which every later one must read. Never made again. */
const FIXTURE = join(import.meta.dirname, '../../fixtures/format-v1')
const expected = JSON.parse(readFileSync(join(FIXTURE, 'expected.json'), 'utf8')) as Golden

let tmp: TemporaryDirectory
let repository: Repository

beforeAll(async () => {
  tmp = await temporaryDirectory()
  cpSync(FIXTURE, join(tmp.path, 'repository'), { recursive: true })
  repository = await openRepository(localBackend(join(tmp.path, 'repository')), testEnvironment(tmp.path))
})
afterAll(async () => {
  await repository.close()
  await tmp[Symbol.asyncDispose]()
})

test('its config says how it was cut', () => {
  expect(repository.config.chunker).toEqual({
    minBytes: 16_384,
    averageBytes: 65_536,
    maxBytes: 262_144,
    level: 1,
    segmentBytes: 2 ** 26,
  })
})

test('its snapshots are known', async () => {
  const damaged: string[] = []
  const found = await listSnapshots(repository, {}, (id) => damaged.push(id))
  expect(damaged).toEqual([])
  const manifests = found.map(({ id, snapshot: { timeMs, kind, parent, tags, paths } }) => {
    return { id, time: timeMs, kind, parent, tags, paths: paths.map(displayBytes) }
  })
  expect(manifests).toEqual(expected.snapshots.map(({ entries, ...manifest }) => manifest))
})

describe.each(expected.snapshots)('the $kind snapshot', ({ id, paths, entries }) => {
  test('holds every entry and all content of its source', async () => {
    const found = (await listSnapshots(repository)).find((stored) => stored.id === id)!
    const source = await findNode(repository.load, found.snapshot.tree, paths[0] as ByteString)
    const listed = await listEntries(source?.type === 'directory' ? source.tree : expect.unreachable())
    expect(listed.map(({ path }) => path)).toEqual(entries.map(({ path }) => path))
    for (const [i, entry] of entries.entries()) expect(listed[i]).toEqual(entry)
  })
})

test('every object in every pack is whole, and all kinds are there', async () => {
  const counts = { chunk: 0, list: 0, tree: 0, attributes: 0, snapshot: 0 }
  for (const { id, packClass } of (await repository.index()).packs())
    for (const entry of await readPackTrailer(repository.backend, packClass, id)) {
      expect(await repository.load(entry.kind, objectIdAt(entry.id))).toHaveLength(entry.plainLength)
      counts[entry.kind]++
    }
  expect(counts).toEqual({ chunk: 17, list: 5, tree: 16, attributes: 1, snapshot: 0 })
})

/** As `expected.json` has them. */
async function listEntries(tree: ObjectId): Promise<GoldenEntry[]> {
  const entries: GoldenEntry[] = []
  const linked = new Map<string, string>()
  const visit = async (id: ObjectId, above: ByteString | undefined): Promise<void> => {
    for await (const node of walkTree(repository.load, id)) {
      const path = above === undefined ? node.name : joinPath(above, node.name)
      entries.push(await describeNode(node, displayBytes(path), linked))
      if (node.type === 'directory') await visit(node.tree, path)
    }
  }
  await visit(tree, undefined)
  return entries
}

async function describeNode(node: Node, path: string, linked: Map<string, string>): Promise<GoldenEntry> {
  const attributes = (await loadAttributes(repository.load, node)).map(
    ({ name, value }) => [name, Buffer.from(value).toString('hex')] as const,
  )
  const sameAs = node.linkGroup === undefined ? undefined : linked.get(node.linkGroup)
  if (node.linkGroup !== undefined) linked.set(node.linkGroup, sameAs ?? path)
  return {
    path,
    type: node.type,
    mode: node.mode.toString(8),
    uid: node.uid,
    gid: node.gid,
    mtime: String(node.mtimeNs),
    size: node.type === 'file' ? node.size : undefined,
    sha3: node.type === 'file' ? await hashContent(node) : undefined,
    target: node.type === 'symlink' ? displayBytes(node.target) : undefined,
    device: node.type === 'char-device' ? [node.major, node.minor] : undefined,
    sameAs,
    attributes: attributes.length > 0 ? attributes : undefined,
  }
}

async function hashContent({ content, size }: FileNode): Promise<string> {
  const hash = createHash('sha3-256')
  for await (const { ids } of walkChunks(repository.load, content, size))
    for (let i = 0; i < ids.length; i += ID_BYTES) hash.update(await repository.load('chunk', objectIdAt(ids, i)))
  return hash.digest('hex')
}
