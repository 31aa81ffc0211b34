import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { advanceHour, makeNodeData } from '../../bench/node/make.ts'
import { type BackupOptions, type BackupResult, backup } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { createRepository, openTestRepository } from '../helpers/repository.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

/**
 * Hours in the life of a node, its block files among them preallocated, filled up and left for the next: every snapshot has
 * the very tree of one that reads all, and has read little.
 */
const MIB = 2 ** 20
let tmp: TemporaryDirectory
let node: string
beforeAll(async () => {
  tmp = await temporaryDirectory()
  node = join(tmp.path, 'node')
  await createRepository(tmp.path)
})
afterAll(() => tmp[Symbol.asyncDispose]())

async function run(options: Partial<BackupOptions> = {}): Promise<BackupResult> {
  await setTimeout(60) // longer than a tick of the kernel's coarse clock
  await using repository = await openTestRepository(tmp.path)
  return await backup(repository, { paths: [byteStringOf(node)], threads: 2, ...options })
}

/** Of the chainstate's files, which are read as a whole when they change: by name. */
const tables = (): Map<string, number> =>
  new Map(readdirSync(join(node, 'chainstate')).map((name) => [name, statSync(join(node, 'chainstate', name)).size]))

test('a node that grows from hour to hour', { timeout: 120_000 }, async () => {
  await makeNodeData(node, { seed: 1, bytes: 144e6 })
  await run()
  const takenOver: number[] = []
  for (let hour = 0; hour < 3; hour++) {
    const before = tables()
    const { blkBytes, revBytes } = await advanceHour(node)
    const rewritten = [...tables()].reduce((sum, [name, size]) => sum + (before.get(name) === size ? 0 : size), 0)
    const whole = await run({ kind: 'full', dryRun: true })
    const differential = await run({ kind: 'differential', dryRun: true })
    const { snapshot } = await run()
    expect([snapshot.tree, differential.snapshot.tree]).toEqual([whole.snapshot.tree, whole.snapshot.tree])
    // The zeros behind the last records, and the samples of two files.
    expect(snapshot.summary.bytesRead).toBeLessThan(blkBytes + revBytes + rewritten + (17 + 5) * MIB)
    takenOver.push(Math.round((snapshot.summary.bytesTakenOver ?? 0) / 10e6))
    expect(differential.snapshot.summary.bytesTakenOver).toBeGreaterThan(130e6)
  }
  expect(readdirSync(join(node, 'blocks'))).toContain('blk00001.dat')
  expect(takenOver).toEqual([14, 15, 1]) // in the second hour the first pair of files was left for another
})
