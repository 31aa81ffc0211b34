import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { backup } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { isCode } from '../../src/base/errors.ts'
import { DEFAULT_CUT_PARAMETERS, SEGMENT_BYTES } from '../../src/chunker/fastcdc.ts'
import { decodeLock, encodeLock } from '../../src/format/lock.ts'
import { check } from '../../src/maintain/check.ts'
import { forget } from '../../src/maintain/forget.ts'
import { planForget } from '../../src/maintain/forget-policy.ts'
import { prune } from '../../src/maintain/prune.ts'
import { retag } from '../../src/maintain/retag.ts'
import { initRepository, openRepository, type Repository } from '../../src/repository/repository.ts'
import { listSnapshots } from '../../src/repository/snapshots.ts'
import { restore } from '../../src/restore/restorer.ts'
import { Turns } from '../helpers/interleaving.ts'
import { type MemoryFiles, memoryBackend } from '../helpers/memory-backend.ts'
import { testEnvironment } from '../helpers/repository.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { isComplete } from './form.ts'
import { makePlace, type Place } from './place.ts'

const EVERYTHING = { policy: { maxUnused: { bytes: 0 } } } as const
const HOUR_MS = 3_600_000

type Act = (repository: Repository, world: World) => Promise<unknown>

/** One repository in memory, in which nothing has happened since it was prepared. */
interface World {
  readonly files: MemoryFiles
  readonly path: string
}

let place: Place
let prepared: MemoryFiles
let source: string
let worlds = 0

/**
 * Three snapshots, of which the last is left. A prune has copied what it needs of the first one's pack, and condemned that: it is
 * due. The second one's pack holds nothing that is needed. What was in either is in the source again.
 */
beforeAll(async () => {
  place = makePlace()
  source = place.source
  prepared = memoryBackend()
  const cache = join(place.path, 'prepared')
  const environment = testEnvironment(cache, 'host-1')
  const chunker = { ...DEFAULT_CUT_PARAMETERS, segmentBytes: SEGMENT_BYTES }
  await initRepository(prepared, environment, { chunker })
  await using repository = await openRepository(prepared, environment)
  writeFileSync(join(source, 'kept'), seededBytes('kept', 5000))
  for (const name of ['first', 'second', 'third']) {
    writeFileSync(join(source, name), seededBytes(name, 6000))
    await act.backup(repository)
    if (name !== 'third') rmSync(join(source, name))
  }
  const [first, second] = await listSnapshots(repository)
  await forget(repository, [first!.id])
  await act['prune with a grace'](repository)
  for (const [path, time] of prepared.times) prepared.times.set(path, time - 2 * HOUR_MS)
  await forget(repository, [second!.id])
  for (const name of ['first', 'second']) writeFileSync(join(source, `${name} again`), seededBytes(name, 6000))
})
afterAll(() => place[Symbol.asyncDispose]())

const act = {
  backup: (repository) => backup(repository, { paths: [byteStringOf(source)], threads: 1 }),
  'full backup': (repository) => backup(repository, { paths: [byteStringOf(source)], threads: 1, kind: 'full' }),
  prune: (repository) => prune(repository, EVERYTHING),
  'prune with a grace': (repository) => prune(repository, { ...EVERYTHING, graceMs: HOUR_MS }),
  'forget and prune': async (repository) => {
    await forgetAll(repository)
    await prune(repository, EVERYTHING)
  },
  'forget by rules and prune': async (repository) => {
    const groups = planForget(await listSnapshots(repository), { last: 1 }, { nowMs: Date.now() })
    await forget(
      repository,
      groups.flatMap(({ remove }) => remove.map(({ id }) => id)),
    )
    await prune(repository, EVERYTHING)
  },
  tag: async (repository) => {
    const snapshots = await listSnapshots(repository)
    await retag(repository, snapshots, { add: ['x'] })
  },
  untag: async (repository) => {
    await retag(repository, await listSnapshots(repository), { set: [] })
  },
  check: async (repository) => {
    expect(await check(repository, { readData: 'all', threads: 1 })).toMatchObject({ problems: [] })
  },
  restore: async (repository, { path }) => {
    await using _lock = await repository.lock('read')
    const [latest] = (await listSnapshots(repository)).reverse()
    if (!latest) return
    const { failureCount } = await restore(repository, latest.snapshot, { target: join(path, 'target'), threads: 1 })
    expect(failureCount).toBe(0)
  },
} satisfies Record<string, Act>
type Name = keyof typeof act

async function forgetAll(repository: Repository): Promise<void> {
  await forget(
    repository,
    (await listSnapshots(repository)).map(({ id }) => id),
  )
}

function makeWorld(): World {
  const path = join(place.path, `world-${worlds++}`)
  const files = memoryBackend()
  for (const [name, bytes] of prepared.files) files.files.set(name, bytes)
  for (const [name, time] of prepared.times) files.times.set(name, time)
  return { files, path }
}

/** A process of its own: with a cache of its own, and a clock of whoever keeps the files that is `aheadMs` ahead. */
async function open(world: World, host: string, aheadMs = 0, wrap = (backend: Backend): Backend => backend) {
  const directory = join(world.path, host)
  cpSync(join(place.path, 'prepared', 'cache'), join(directory, 'cache'), { recursive: true })
  const backend = memoryBackend({ like: world.files, now: () => Date.now() + aheadMs })
  return await openRepository(wrap(backend), testEnvironment(directory, host))
}

interface Cast {
  readonly names: readonly [Name, Name]
  /** What has been done before. */
  readonly before?: Name
  /** How far the time has gone on for the second, who takes the first for dead if it is long. */
  readonly aheadMs?: number
}

/** Those of which the second takes the first for dead come twice. */
const CASTS: readonly Cast[] = [
  { names: ['backup', 'prune'] },
  { names: ['backup', 'prune'], aheadMs: HOUR_MS },
  { names: ['prune', 'backup'] },
  { names: ['full backup', 'prune'] },
  { names: ['full backup', 'prune'], aheadMs: HOUR_MS },
  { names: ['backup', 'prune with a grace'] },
  { names: ['backup', 'prune with a grace'], aheadMs: HOUR_MS },
  { names: ['backup', 'forget and prune'] },
  { names: ['backup', 'forget and prune'], aheadMs: HOUR_MS },
  { names: ['forget and prune', 'backup'] },
  { names: ['restore', 'forget and prune'] },
  { names: ['check', 'prune'] },
  { names: ['check', 'prune'], aheadMs: HOUR_MS },
  { names: ['tag', 'forget and prune'] },
  { names: ['tag', 'forget and prune'], aheadMs: HOUR_MS },
  { names: ['tag', 'forget by rules and prune'] },
  { names: ['forget by rules and prune', 'tag'] },
  { names: ['untag', 'tag'], before: 'tag' },
  { names: ['untag', 'tag'], before: 'tag', aheadMs: HOUR_MS },
  { names: ['prune', 'prune'] },
  { names: ['prune', 'prune'], aheadMs: HOUR_MS },
]

const describeCast = ({ names: [first, second], aheadMs }: Cast): string =>
  aheadMs === undefined ? `${first}, ${second}` : `${first}, ${second} that takes it for dead`

const SAMPLES = 3
const MAX_FAULTS = 10
/** The fractional part of the golden ratio: multiples of it, modulo 1, lie far from one another. */
const GOLDEN = 0.618033988749895
const tried: string[] = []

describe('in whatever order the calls of two come, nothing is lost, and nothing stays that nobody needs', () => {
  test.each(CASTS.map((cast) => [describeCast(cast), cast] as const))(
    '%s',
    { timeout: HOUR_MS },
    async (name, cast) => {
      const made = await tryOrder(cast, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
      const orders = ordersOf(made)
      const chosen = isComplete ? orders : Array.from({ length: SAMPLES }, (_, i) => orders[someOf(orders.length, i)]!)
      const faults: string[] = []
      for (const [first, second] of chosen)
        await tryOrder(cast, first, second).catch((error: Error) => {
          faults.push(`after ${first} calls of the first and ${second} of the second: ${error.stack}`)
        })
      expect(faults.slice(0, MAX_FAULTS)).toEqual([])
      tried.push(`${name}: ${chosen.length} of ${orders.length} orders`)
    },
  )

  afterAll(() => console.log(['orders of calls:', ...tried].join('\n  ')))
})

const someOf = (count: number, i: number): number => Math.floor((((i + 1) * GOLDEN) % 1) * count)

/**
 * After how many calls of the first so many of the second come, up to all of them; then the first goes on to its end, and the
 * second to its. How many they make depends on the order.
 */
function ordersOf([first, second]: readonly [number, number]): [number, number][] {
  const counts = [...Array.from({ length: second }, (_, j) => j + 1), Number.POSITIVE_INFINITY]
  return Array.from({ length: first }, (_, i) => i).flatMap((i) => counts.map((j): [number, number] => [i, j]))
}

/** Plays it in a world of its own, and judges that; answers how many calls each has made. */
async function tryOrder(cast: Cast, first: number, second: number): Promise<[number, number]> {
  const world = makeWorld()
  if (cast.before) {
    await using repository = await open(world, 'host-0')
    await act[cast.before](repository, world)
  }
  const { made, published } = await play(world, cast, first, second)
  const isForgotten = cast.names.includes('forget and prune')
  const atMost = cast.names.includes('untag') ? 2 : 1 // under both ids
  await judge(world, isForgotten ? undefined : [1 + published, atMost + published])
  rmSync(world.path, { recursive: true })
  return made
}

async function play(
  world: World,
  cast: Cast,
  first: number,
  second: number,
): Promise<{ made: [number, number]; published: number }> {
  const { names, aheadMs } = cast
  const turns = new Turns()
  const repositories: Repository[] = []
  for (const [i, name] of names.entries()) {
    const host = `host-${i + 1}`
    const repository = await open(world, host, i === 1 ? aheadMs : 0, (backend) => turns.backend(i, backend))
    repositories.push(repository)
    await turns.start(() => act[name](repository, world))
  }
  const begun = [await turns.run(0, first), await turns.run(1, second)] as const
  const made: [number, number] = [begun[0] + (await turns.run(0)), begun[1] + (await turns.run(1))]
  for (const repository of repositories) await repository.close()
  for (const [i, name] of names.entries()) expectOutcome(turns.outcome(i), name, cast)
  const published = names.filter((name, i) => name.includes('backup') && turns.outcome(i) === undefined).length
  return { made, published }
}

/** Whoever did not come to its end has been told that another was in its way. */
function expectOutcome(error: unknown, name: Name, { names, aheadMs }: Cast): void {
  if (error === undefined) return
  const mayBeLocked = names.every((each) => each.includes('prune')) || (aheadMs !== undefined && name === names[0])
  const mayBeGone = name === 'tag' && names.includes('forget and prune')
  if (!(mayBeLocked && isCode(error, 'LOCKED')) && !(mayBeGone && isCode(error, 'NOT_FOUND'))) throw error
}

/** All that is published is whole, and nothing stays for ever that is not needed. */
async function judge(world: World, snapshots: readonly [number, number] | undefined): Promise<void> {
  for (const [path, bytes] of world.files.files)
    if (path.startsWith('locks/')) {
      const lock = decodeLock(bytes, path)
      if (lock.mode !== 'interrupted') world.files.files.set(path, encodeLock({ ...lock, host: 'judge', started: '1' }))
    }
  await using repository = await open(world, 'judge')
  const report = await check(repository, {})
  expect(report).toMatchObject({ problems: [] })
  if (snapshots) expect(report.snapshots).toBeGreaterThanOrEqual(snapshots[0])
  if (snapshots) expect(report.snapshots).toBeLessThanOrEqual(snapshots[1])
  // What was condemned and is needed again may have been copied by then: the second prune frees what is there twice.
  for (let rounds = 1, left = 1; left > 0; rounds++) {
    left = filesIn(world, /^condemned\//).length
    const { plan } = await prune(repository, { ...EVERYTHING, graceMs: 0 })
    left += plan.remove.length + plan.rewrite.length
    expect(rounds).toBeLessThanOrEqual(3)
  }
  expect(filesIn(world, /^(?:tmp|locks|condemned)\//)).toEqual([])
  expect(await check(repository, { readData: 'all', threads: 1 })).toMatchObject({ problems: [], notes: [] })
}

const filesIn = ({ files }: World, folders: RegExp): string[] =>
  [...files.files.keys()].filter((path) => folders.test(path))
