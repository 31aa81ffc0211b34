import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { makeDice } from '../../bench/node/random.ts'
import type { FileSystem } from '../../src/backend/file-system.ts'
import { compareTrees } from '../helpers/compare-trees.ts'
import { type FileCall, faultyFileSystem, SHORT_READ } from '../helpers/faulty-file-system.ts'
import { type DiskImage, emptyImage, memoryDisk } from '../helpers/memory-disk.ts'
import { type CliResult, runCli } from '../helpers/run-cli.ts'
import { type FolderImage, readFolders, writeFolders } from './folder-image.ts'
import { isComplete, SEED } from './form.ts'
import { limitPacks, makePlace, type Place } from './place.ts'
import { copiesIn, derivedFolders, LATER_MS, type Recording, recordStory, snapshotsIn } from './recording.ts'
import { faultsOf } from './survive.ts'

const SHORT_CELLS = 2

/** The command line gets its files from here. */
const seam = vi.hoisted((): { files: FileSystem | undefined } => ({ files: undefined }))
vi.mock('../../src/backend/file-system.ts', async (original) => {
  const real = await original<typeof import('../../src/backend/file-system.ts')>()
  const get = (target: FileSystem, name: keyof FileSystem): unknown => (seam.files ?? target)[name]
  return { ...real, nodeFileSystem: new Proxy(real.nodeFileSystem, { get }) }
})

/** A command line, and where in the story it is run. */
interface Command {
  readonly argv: (place: Place) => readonly string[]
  /** After this chapter … */
  readonly after?: string
  /** … or before it, when the repository is damaged. */
  readonly before?: string
  /** It goes on after a failure, and names what is concerned. */
  readonly goesOn?: boolean
  /** What is missing of what it should have done. */
  readonly missing?: (image: DiskImage, place: Place) => Promise<readonly string[]>
}

const COMMANDS: Readonly<Record<string, Command>> = {
  init: { argv: () => ['init'] },
  backup: {
    argv: ({ source }) => ['backup', '--host', 'node', '--threads', '1', source],
    after: 'tag',
    missing: async (image, place) => ((await copiesIn(image, place)).has(place.source) ? [] : ['the new snapshot']),
  },
  restore: {
    argv: ({ target, source }) => ['restore', `latest:${source}`, '--target', target, '--threads', '1'],
    after: 'tag',
    goesOn: true,
    missing: async (image, place) =>
      compareTrees([...(await copiesIn(image, place))].at(-1)!, place.target, { root: false }),
  },
  check: { argv: () => ['check', '--read-data', '--threads', '1'], after: 'tag', goesOn: true },
  snapshots: { argv: () => ['snapshots'], after: 'tag' },
  tag: { argv: () => ['tag', '--add', 'monthly', 'latest'], after: 'tag' },
  forget: { argv: () => ['forget', '--keep-last', '1', '--group-by', ''], after: 'tag' },
  'forget --prune': {
    argv: () => ['forget', '--keep-last', '1', '--group-by', '', '--prune', '--max-unused', '0'],
    after: 'tag',
  },
  prune: { argv: () => ['prune', '--max-unused', '0'], after: 'forget' },
  'repair index': { argv: () => ['repair', 'index'], after: 'tag', goesOn: true },
  'repair packs': { argv: () => ['repair', 'packs'], before: 'repair packs', goesOn: true },
  'repair packs by parity': { argv: () => ['repair', 'packs'], before: 'repair packs, by parity', goesOn: true },
  parity: { argv: () => ['parity', '20'], after: 'tag' },
  'repair snapshots': { argv: () => ['repair', 'snapshots', '--forget'], before: 'repair snapshots' },
}

const WRITES = ['create', 'write', 'sync', 'link', 'makeDirectory', 'rename', 'syncDirectory']
const OPENS = ['create', 'read', 'list', 'syncDirectory']

/** How a call may fail, and others after it. */
type Way = (call: FileCall, isFirst: boolean) => string | undefined

const WAYS: Readonly<Record<string, Way>> = {
  'an input/output error': (_, isFirst) => (isFirst ? 'EIO' : undefined),
  'a disk that has died': () => 'EIO',
  'a full disk': ({ name }) => (WRITES.includes(name) ? 'ENOSPC' : undefined),
  'a missing permission': (_, isFirst) => (isFirst ? 'EACCES' : undefined),
  'too many open files': ({ name }, isFirst) => (isFirst && OPENS.includes(name) ? 'EMFILE' : undefined),
  'a short read': ({ name }, isFirst) => (isFirst && name === 'read' ? SHORT_READ : undefined),
}

let place: Place
let limits: Disposable
let story: readonly Recording[]
const tried: string[] = []

beforeAll(async () => {
  place = makePlace()
  limits = limitPacks({ data: 24 * 1024, meta: 2048 })
  story = await recordStory(place, makeDice(SEED))
})
afterAll(async () => {
  console.log(['failing calls:', ...tried].join('\n  '))
  limits[Symbol.dispose]()
  await place[Symbol.asyncDispose]()
})

test.each(Object.entries(COMMANDS))('%s, whichever call fails', { timeout: 3_600_000 }, async (name, command) => {
  const { calls } = await run(command, startOf(command), () => undefined)
  const cells = Object.entries(WAYS).flatMap(([way, fails]) =>
    calls.flatMap((call, number) => (fails(call, true) ? [{ way, fails, number }] : [])),
  )
  const every = isComplete ? 1 : Math.ceil(cells.length / SHORT_CELLS)
  const chosen = cells.filter((_, i) => i % every === every >> 1)
  for (const { way, fails, number } of chosen) {
    const failing = `${way} at call ${number} of ${calls.length}`
    expect({ failing, faults: await faultsAfter(command, number, fails) }).toEqual({ failing, faults: [] })
  }
  tried.push(`${name}: ${chosen.length} of ${cells.length}, at ${calls.length} calls`)
})

interface Start {
  readonly image: DiskImage
  readonly derived: FolderImage
}

function startOf({ after, before }: Command): Start {
  const recording = story.find(({ chapter }) => chapter.name === (after ?? before))
  if (!recording) return { image: emptyImage(place.path), derived: new Map() }
  if (before !== undefined) return { image: recording.start, derived: recording.derived[0]! }
  return { image: recording.end, derived: recording.derived.at(-1)! }
}

interface Run {
  readonly result: CliResult
  readonly end: Start
  readonly calls: readonly FileCall[]
}

/** Runs the command on a host of its own, so much later. */
async function run(
  { argv }: Command,
  { image, derived }: Start,
  failure: (call: FileCall, number: number) => string | undefined,
  host = 'crashed',
  laterMs = 0,
): Promise<Run> {
  const now = (): number => Date.now() + laterMs
  writeFolders(derivedFolders(place), derived)
  const disk = memoryDisk(image, { now })
  const { files, calls } = faultyFileSystem(failure, disk.files)
  seam.files = files
  const result = await runCli(place.path, argv(place), { host, now }).finally(() => {
    seam.files = undefined
  })
  const end = { image: disk.image(), derived: readFolders(derivedFolders(place)) }
  await learn(end.image)
  return { result, end, calls }
}

/** Knows what a new snapshot must be restored to: what it is a rewritten form of, or else the source. */
async function learn(image: DiskImage): Promise<void> {
  for (const { id, snapshot } of await snapshotsIn(image, place)) {
    const original = snapshot.original && place.expected.get(snapshot.original)
    if (!place.expected.has(id)) place.expected.set(id, original ?? place.source)
  }
}

/** What is wrong if call `number` fails, in words. */
async function faultsAfter(command: Command, number: number, fails: Way): Promise<string[]> {
  rmSync(place.target, { recursive: true, force: true })
  const start = startOf(command)
  const failing = await run(command, start, (call, n) => (n < number ? undefined : fails(call, n === number)))
  const missing = async ({ image }: Start): Promise<readonly string[]> => (await command.missing?.(image, place)) ?? []
  const faults = complaintsAbout(command, failing.result)
  if (failing.result.code === 0) faults.push(...(await missing(failing.end)))

  const next = await run(command, failing.end, () => undefined, 'survivor', LATER_MS)
  if (next.result.code !== 0) faults.push(`the next run ends with ${next.result.code}: ${next.result.stderr}`)
  faults.push(...(await missing(next.end)))
  rmSync(place.target, { recursive: true, force: true })

  const [before, after] = [await copiesIn(start.image, place), await copiesIn(next.end.image, place)]
  const required = new Set([...before].filter((copy) => after.has(copy)))
  const wreck = { ...next.end, cut: '', chapter: { name: '', act: async () => {} }, required }
  return [...faults, ...(await faultsOf(wreck, place, { restoreAll: false }))]
}

/** What is wrong with the way in which it is said. */
function complaintsAbout({ goesOn }: Command, { code, stdout, stderr }: CliResult): string[] {
  const faults: string[] = []
  const lines = stderr.split('\n').slice(0, -1)
  const last = lines.at(-1) ?? ''
  if (code !== 0 && code !== 1) faults.push(`exit code ${code}`)
  if (/internal error|undefined|\[object|\bat .*:\d+:\d+/.test(stdout + stderr)) faults.push(`no sentence: ${stderr}`)
  if (code === 0 || goesOn)
    return code !== 0 && stdout + stderr === '' ? [...faults, 'it fails and says nothing'] : faults
  if (!/^chainkeep: .+[:;,] .+; \w.+$/.test(last)) faults.push(`it does not say why, or what to do: ${last}`)
  if (!lines.slice(0, -1).every((line) => NOTICE.test(line))) faults.push(`more than a sentence: ${stderr}`)
  return faults
}

const NOTICE = /^chainkeep: (?:cannot remove .*\/locks\/|snapshot .* cannot be read)/
