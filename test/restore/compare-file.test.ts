import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { byteStringOf } from '../../src/base/bytes.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { LIST_MAX_ENTRIES } from '../../src/format/list.ts'
import type { FileNode } from '../../src/format/node.ts'
import { type ChunkRun, walkChunks } from '../../src/repository/lists.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { hasContent, runBytes, walkFile } from '../../src/restore/compare-file.ts'
import type { RestoreJob } from '../../src/restore/job.ts'
import { WorkerPool } from '../../src/worker/pool.ts'
import { openRestoring } from '../helpers/restoring.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { ownMeta, storeContent, TINY_CUTS } from '../helpers/store-tree.ts'

async function storeFile(repository: Repository, bytes: Uint8Array): Promise<FileNode> {
  const session = repository.beginWrite()
  const content = await storeContent(session, bytes, TINY_CUTS)
  await session.flush()
  return { ...ownMeta(), type: 'file', name: byteStringOf('file'), ...content }
}

async function collect(runs: AsyncIterable<ChunkRun>): Promise<ChunkRun[]> {
  const all: ChunkRun[] = []
  for await (const run of runs) all.push(run)
  return all
}

const idsOf = (runs: readonly ChunkRun[]): string => Buffer.concat(runs.map(({ ids }) => ids)).toString('hex')

describe('the runs of a file', () => {
  test('are those of its lists, joined', async () => {
    await using at = await openRestoring()
    const { repository } = at
    const node = await storeFile(repository, seededBytes('file', 300_000))
    const lists = await collect(walkChunks(repository.load, node.content, node.size))
    const runs = await collect(walkFile({ repository } as RestoreJob, node))
    expect(runs.length).toBeLessThan(lists.length / 2)
    expect(idsOf(runs)).toBe(idsOf(lists))
    expect(runs.flatMap(({ lengths }) => lengths)).toEqual(lists.flatMap(({ lengths }) => lengths))
    let offset = 0
    for (const run of runs) {
      expect(run.offset).toBe(offset)
      expect(run.lengths.length).toBeLessThanOrEqual(LIST_MAX_ENTRIES)
      offset += runBytes(run)
    }
    expect(offset).toBe(node.size)
  })

  test('none for an empty file, one for a single chunk', async () => {
    await using at = await openRestoring()
    const { repository } = at
    for (const [size, count] of [
      [0, 0],
      [10, 1],
    ] as const) {
      const node = await storeFile(repository, seededBytes(size, size))
      expect(await collect(walkFile({ repository } as RestoreJob, node))).toHaveLength(count)
    }
  })

  test('before a list that is damaged, are told before the damage is', async () => {
    await using at = await openRestoring()
    const { repository } = at
    const node = await storeFile(repository, seededBytes('file', 300_000))
    const whole = await collect(walkChunks(repository.load, node.content, node.size))
    const damage = new ChainkeepError('CORRUPT', 'damaged')
    let loads = 0
    const load: Repository['load'] = (...object) => (++loads > 20 ? Promise.reject(damage) : repository.load(...object))
    const told: ChunkRun[] = []
    const telling = (async () => {
      for await (const run of walkFile({ repository: { load } } as unknown as RestoreJob, node)) told.push(run)
    })()
    await expect(telling).rejects.toBe(damage)
    expect(idsOf(whole).startsWith(idsOf(told))).toBe(true)
    expect(told.flatMap(({ lengths }) => lengths).length).toBeGreaterThan(300)
  })
})

test('whether a file has the content, of as many runs as there are', async () => {
  await using at = await openRestoring()
  const { repository } = at
  await using pool = new WorkerPool({ threads: 1 })
  const job = { repository, pool } as RestoreJob
  const bytes = seededBytes('file', 300_000)
  const node = await storeFile(repository, bytes)
  const path = join(at.directory, 'file')
  writeFileSync(path, bytes)
  expect(await hasContent(job, node, byteStringOf(path))).toBe(true)
  for (const place of [0, 150_000, 299_999]) {
    const changed = Buffer.from(bytes)
    changed[place]! ^= 1
    writeFileSync(path, changed)
    expect(await hasContent(job, node, byteStringOf(path)), `byte ${place}`).toBe(false)
  }
})
