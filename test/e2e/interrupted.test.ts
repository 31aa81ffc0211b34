import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { localBackend } from '../../src/backend/local.ts'
import { createLocalFolders } from '../../src/backend/local-folders.ts'
import { type BackupResult, backup } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { parsePackId } from '../../src/base/ids.ts'
import { DEFAULT_CUT_PARAMETERS } from '../../src/chunker/fastcdc.ts'
import { readPackTrailer } from '../../src/repository/pack-trailer.ts'
import { initRepository, openRepository } from '../../src/repository/repository.ts'
import { type FileCall, faultyFileSystem } from '../helpers/faulty-file-system.ts'
import { testEnvironment } from '../helpers/repository.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

/**
 * A backup that did not finish, however it ended, is continued by the next: what it had read and stored is not read again, and
 * the snapshot is the same. The unit is a segment, which is small here, or a batch of small files.
 */
const MIB = 2 ** 20
const SEGMENT = MIB
/** What is begun at once for two threads: eight segments, or batches of small files, of up to 4 MiB. */
const UNIT = 32 * MIB
const BINARY = join(import.meta.dirname, '../../dist/cli/bin.js')

let tmp: TemporaryDirectory
let total = 0
/** What a backup stores that nothing interrupts. */
let wholeTree: string
beforeAll(async () => {
  tmp = await temporaryDirectory()
  makeSource()
  await setTimeout(60) // longer than a tick of the kernel's coarse clock
  await makeRepository()
  wholeTree = (await run()).result.snapshot.tree
})
afterAll(() => tmp[Symbol.asyncDispose]())
beforeEach(async () => {
  for (const name of ['repository', 'cache']) rmSync(join(tmp.path, name), { recursive: true, force: true })
  await makeRepository()
})

/** Some 75 MB, two packs and a part of one, in large and small files. */
function makeSource(): void {
  total = 0
  const write = (name: string, bytes: number): void => {
    total += bytes
    writeFileSync(join(tmp.path, 'source', name), seededBytes(name, bytes))
  }
  for (const directory of ['', 'a', 'b', 'b/c']) mkdirSync(join(tmp.path, 'source', directory))
  for (let i = 0; i < 8; i++) write(`a/large${i}`, 5 * MIB + i)
  for (let i = 0; i < 300; i++) write(`b/small${i}`, 40_000 + i)
  write('b/c/huge', 20 * MIB)
  write('empty', 0)
}

async function makeRepository(): Promise<void> {
  const path = join(tmp.path, 'repository')
  await createLocalFolders(path)
  const chunker = { ...DEFAULT_CUT_PARAMETERS, segmentBytes: SEGMENT }
  await initRepository(localBackend(path), testEnvironment(tmp.path), { chunker })
}

interface Options {
  readonly failure?: (call: FileCall, number: number) => string | undefined
  readonly signal?: AbortSignal
  readonly onItem?: () => void
}

interface Run {
  readonly result: BackupResult
  readonly notices: readonly string[]
}

/** One backup in this process. */
async function run({ failure, ...options }: Options = {}): Promise<Run> {
  const environment = testEnvironment(tmp.path)
  const { files } = faultyFileSystem(failure)
  await using repository = await openRepository(localBackend(join(tmp.path, 'repository'), files), environment)
  const paths = [byteStringOf(join(tmp.path, 'source'))]
  return { result: await backup(repository, { paths, threads: 2, ...options }), notices: environment.notices }
}

/** Plain bytes of all chunks in packs. */
async function storedBytes(): Promise<number> {
  const backend = localBackend(join(tmp.path, 'repository'))
  let bytes = 0
  for await (const id of backend.list('data'))
    for (const { plainLength } of await readPackTrailer(backend, 'data', parsePackId(id))) bytes += plainLength
  return bytes
}

function journalFolder(): string {
  const cache = join(tmp.path, 'cache')
  return join(cache, readdirSync(cache)[0]!, 'journals')
}
const journals = (): string[] => readdirSync(journalFolder())
const journalFile = (): string => join(journalFolder(), journals()[0]!)

/** The next backup, which must go on from what there is. */
async function goOn(unit = UNIT): Promise<void> {
  const stored = await storedBytes()
  const { result, notices } = await run()
  const { bytesRead, bytesTakenOver = 0 } = result.snapshot.summary
  expect(bytesRead + bytesTakenOver).toBe(total)
  expect(bytesRead).toBeLessThanOrEqual(Math.min(total, total - stored + unit))
  expect(notices).toEqual(['a backup of these paths did not finish: what it has read and stored is not read again'])
  expect(result.snapshot.tree).toBe(wholeTree)
  expect(journals()).toEqual([])
  const next = await run()
  expect(next).toMatchObject({ notices: [], result: { snapshot: { tree: wholeTree, summary: { bytesRead: 0 } } } })
}

/** Fails the call number `n` of those that `is` says. */
function nth(n: number, is: (call: FileCall) => boolean): (call: FileCall) => string | undefined {
  let count = 0
  return (call) => (is(call) && ++count === n ? 'EIO' : undefined)
}

async function interruptAtTheEnd(): Promise<void> {
  const failure = nth(1, ({ path }) => path.includes('/snapshots/'))
  await expect(run({ failure })).rejects.toMatchObject({ code: 'IO' })
}

const isPublishing = ({ name, path }: FileCall): boolean => ['rename', 'link'].includes(name) && path.includes('/data/')

describe('a backup goes on where one ended', () => {
  test.each<[string, (call: FileCall) => string | undefined]>([
    ['at its first pack', nth(1, isPublishing)],
    ['at its third pack', nth(3, isPublishing)],
    ['at a write in between', nth(60, ({ name }) => name === 'write')],
  ])('%s, which failed', async (_, failure) => {
    await expect(run({ failure })).rejects.toMatchObject({ code: 'IO' })
    await goOn()
  })

  test('when everything was stored: nothing is read', async () => {
    await interruptAtTheEnd()
    await goOn(0)
  })

  test('and was interrupted', async () => {
    const controller = new AbortController()
    let entries = 0
    const onItem = (): void => (++entries === 200 ? controller.abort() : undefined)
    await expect(run({ signal: controller.signal, onItem })).rejects.toMatchObject({ code: 'INTERRUPTED' })
    await goOn()
  })

  test('being killed, again and again', async () => {
    for (const packs of [1, 2]) {
      const child = startProcess()
      const ended = once(child, 'exit')
      while (packCount() < packs && child.exitCode === null) await setTimeout(2)
      child.kill('SIGKILL')
      expect(await ended).toEqual([null, 'SIGKILL'])
    }
    expect(journals().length).toBeGreaterThan(0)
    await goOn()
  })
})

describe('a backup reads everything, and stores the same,', () => {
  const readsAll = async (): Promise<void> => {
    const { result } = await run()
    expect(result.snapshot).toMatchObject({ tree: wholeTree, summary: { bytesRead: total } })
    expect(journals()).toEqual([])
  }
  test('where the journal before it is damaged', async () => {
    await interruptAtTheEnd()
    writeFileSync(journalFile(), seededBytes('damage', 100_000))
    await readsAll()
  })

  test('where what was stored is gone', async () => {
    await interruptAtTheEnd()
    const backend = localBackend(join(tmp.path, 'repository'))
    for (const kind of ['data', 'meta'] as const)
      for await (const id of backend.list(kind)) await backend.remove(kind, parsePackId(id))
    await readsAll()
  })

  test('where a file has changed since: that one', async () => {
    await interruptAtTheEnd()
    const file = join(tmp.path, 'source/a/large3')
    const { mode } = statSync(file)
    for (const now of [0o600, mode & 0o777]) chmodSync(file, now) // another ctime, and nothing else
    const { result } = await run()
    expect(result.snapshot).toMatchObject({ tree: wholeTree, summary: { bytesRead: 5 * MIB + 3 } })
  })
})

const packCount = (): number =>
  readdirSync(join(tmp.path, 'repository/data'), { recursive: true }).filter((name) => String(name).length > 60).length

/** The program, as a user runs it, on the same host. */
function startProcess(): ChildProcess {
  const argv = ['backup', '--host', 'test-host', join(tmp.path, 'source')]
  const env = {
    ...process.env,
    CHAINKEEP_REPOSITORY: join(tmp.path, 'repository'),
    CHAINKEEP_CACHE_DIR: join(tmp.path, 'cache'),
  }
  return spawn(process.execPath, [BINARY, ...argv], { env, stdio: 'ignore' })
}
