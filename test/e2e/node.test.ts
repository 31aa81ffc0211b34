import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compareTrees } from '../helpers/compare-trees.ts'
import { findLitecoind, mine, startNode } from '../helpers/litecoin.ts'
import { createNodeDirectory, growNodeDirectory } from '../helpers/node-directory.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

/**
 * The main job on a real node, through the built program as a user runs it: three backups as the chain grows, a check of
 * every byte, three restores, the node started on one of them, and old snapshots pruned away.
 */
const litecoind = findLitecoind()
const binary = new URL('../../dist/cli/bin.js', import.meta.url).pathname
const independent = new URL('../independent/restore.mjs', import.meta.url).pathname

let tmp: TemporaryDirectory
let source: string
let repository: string
/** For each backup: the snapshot, a copy of the source at the time, and the tip of the chain. */
const backups: { id: string; copy: string; tip: string | undefined; summary: Record<string, unknown> }[] = []

beforeAll(async () => {
  tmp = await temporaryDirectory()
  source = join(tmp.path, 'node')
  repository = join(tmp.path, 'repository')
})
afterAll(() => tmp[Symbol.asyncDispose]())

describe(litecoind ? 'a litecoind in regtest mode' : 'a generated node directory (litecoind is not installed)', () => {
  test('three backups while the chain grows', { timeout: 240_000 }, async () => {
    chainkeep('init')
    await backUp(300)
    await backUp(50)
    await backUp(50, '--type', 'differential')
    expect(backups.map(({ summary }) => summary.files_unmodified)).toEqual([0, expect.any(Number), expect.any(Number)])
    const kinds = (JSON.parse(chainkeep('snapshots', '--json')) as { kind: string; parent?: string }[]).map(
      ({ kind, parent }) => [kind, parent],
    )
    expect(kinds).toEqual([
      ['full', undefined],
      ['incremental', backups[0]!.id],
      ['differential', backups[0]!.id],
    ])
  })

  test('every byte of the repository is right', { timeout: 120_000 }, () => {
    expect(chainkeep('check', '--read-data')).toContain('no damage was found')
  })

  test.each([0, 1, 2])('backup %i is restored byte for byte and attribute for attribute', { timeout: 120_000 }, (n) => {
    const { id, copy } = backups[n]!
    const target = join(tmp.path, `restored-${n}`)
    chainkeep('restore', `${id}:${source}`, '--target', target, '--verify')
    expect(compareTrees(copy, target, { root: false })).toEqual([])
  })

  test.each([0, 1, 2])('backup %i is restored by a program written from FORMAT.md alone', { timeout: 120_000 }, (n) => {
    const { id, copy } = backups[n]!
    const target = join(tmp.path, `independent-${n}`)
    execFileSync(process.execPath, [independent, repository, id, target, source])
    // Node's own call for setting times, which that program uses, rounds to microseconds.
    expect(compareTrees(copy, target, { root: false }).filter((line) => !line.includes(': mtime '))).toEqual([])
  })

  test.skipIf(!litecoind)(
    'the node starts on the second restore, at the tip of that time',
    { timeout: 60_000 },
    async () => {
      await using node = await startNode(join(tmp.path, 'restored-1'))
      expect(await node.rpc('getbestblockhash')).toBe(backups[1]!.tip)
      expect(backups[1]!.tip).not.toBe(backups[2]!.tip)
      await node.stop()
    },
  )

  test('forget and prune free what they say, and the last snapshot is whole', { timeout: 120_000 }, () => {
    const before = packBytes()
    const lines = chainkeep('forget', '--keep-last', '1', '--prune', '--json')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    const freed = findNumber(lines, 'bytes_freed')
    expect(freed).toBeGreaterThan(0)
    expect(before - packBytes()).toBe(freed)
    expect(JSON.parse(chainkeep('snapshots', '--json'))).toHaveLength(1)
    chainkeep('check', '--read-data')
    const target = join(tmp.path, 'restored-last')
    chainkeep('restore', `latest:${source}`, '--target', target)
    expect(compareTrees(backups[2]!.copy, target, { root: false })).toEqual([])
  })
})

/** Lets the chain grow, stops the node, copies its directory and backs it up. */
async function backUp(blocks: number, ...flags: string[]): Promise<void> {
  const n = backups.length
  let tip: string | undefined
  if (litecoind) {
    await using node = await startNode(source)
    await mine(node, blocks, { transactionsPerBlock: 10 })
    tip = (await node.rpc('getbestblockhash')) as string
    await node.stop()
  } else if (n === 0) await createNodeDirectory(source, { seed: 1, megabytes: 60 })
  else await growNodeDirectory(source, { seed: n + 1, hours: 1 })
  const copy = join(tmp.path, `copy-${n}`)
  execFileSync('cp', ['-a', source, copy])
  await setTimeout(60) // longer than a tick of the kernel's coarse clock
  const lines = chainkeep('backup', source, '--json', ...flags)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const summary = lines.find(({ message_type }) => message_type === 'summary')!
  backups.push({ id: summary.snapshot_id as string, copy, tip, summary })
}

/** Runs the program, which must succeed, and answers what it printed. */
function chainkeep(...args: string[]): string {
  const env = { ...process.env, CHAINKEEP_REPOSITORY: repository, CHAINKEEP_CACHE_DIR: join(tmp.path, 'cache') }
  const { status, stdout, stderr } = spawnSync(process.execPath, [binary, ...args], {
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  expect(status, `chainkeep ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0)
  return stdout
}

/** Bytes of all packs. */
function packBytes(): number {
  const sizes = execFileSync('find', [
    join(repository, 'data'),
    join(repository, 'meta'),
    '-type',
    'f',
    '-printf',
    '%s\n',
  ]).toString()
  return sizes.split('\n').reduce((sum, size) => sum + Number(size), 0)
}

/** The first number called `name`, however deep. */
function findNumber(value: unknown, name: string): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, item] of Object.entries(value)) {
    if (key === name && typeof item === 'number') return item
    const found = findNumber(item, name)
    if (found !== undefined) return found
  }
  return undefined
}
