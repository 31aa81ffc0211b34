import { appendFileSync, lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileReader, type ReadOutcome, type Segment, SMALL_BYTES } from '../../src/backup/read-files.ts'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { DEFAULT_CUT_PARAMETERS } from '../../src/chunker/fastcdc.ts'
import type { RepositoryConfig } from '../../src/format/config.ts'
import { walkChunks } from '../../src/repository/lists.ts'
import type { WriteSession } from '../../src/repository/write-session.ts'
import { type CutResult, type CutTask, runCut } from '../../src/worker/cut.ts'
import { fileSignature } from '../../src/worker/file-signature.ts'
import type { RunOptions, WorkerPool } from '../../src/worker/pool.ts'
import { createTools } from '../../src/worker/tools.ts'
import { chunkStore, expectedChunks, splitIds } from '../helpers/chunk-store.ts'
import { memoryObjects } from '../helpers/memory-objects.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let path: ByteString
beforeEach(async () => {
  tmp = await temporaryDirectory()
  path = byteStringOf(join(tmp.path, 'file'))
})
afterEach(() => tmp[Symbol.asyncDispose]())

const SEGMENT = 2 ** 21
const tools = createTools()
type RunCut = (task: CutTask, options: RunOptions) => Promise<CutResult>
const reallyCut: RunCut = (task, { answer }) => runCut(task, tools, answer!)

interface Parts {
  readonly reader: FileReader
  readonly tasks: CutTask[]
  readonly objects: ReturnType<typeof memoryObjects>
  bytesRead: number
}

/** A reader whose tasks are run by `run`, which is heard of. */
function readerOf(run: RunCut = reallyCut, capacity = 2): Parts {
  const store = chunkStore()
  const objects = memoryObjects()
  const session = {
    claim: (_: string, ids: Uint8Array) => store.answer({ type: 'claim', ids }),
    add: (_: string, sealed: object) => store.answer({ ...sealed, type: 'store' }),
    saveObject: objects.save,
  }
  const tasks: CutTask[] = []
  const pool = {
    capacity,
    run(_: string, task: CutTask, options: RunOptions) {
      tasks.push(task)
      return run(task, options)
    },
  }
  const reader = new FileReader({
    session: session as unknown as WriteSession,
    pool: pool as unknown as WorkerPool,
    config: { chunker: { ...DEFAULT_CUT_PARAMETERS, segmentBytes: SEGMENT } } as RepositoryConfig,
    effort: 'auto',
    startMs: Date.now(),
    onBytesRead: (bytes) => {
      parts.bytesRead += bytes
    },
  })
  const parts: Parts = { reader, tasks, objects, bytesRead: 0 }
  return parts
}

/** Begins and assembles as a backup does; `between` runs after the file was looked at. */
async function readFile({ reader }: Parts, between: () => void = () => {}): Promise<ReadOutcome> {
  const stats = lstatSync(path, { bigint: true })
  between()
  const size = Number(stats.size)
  const numbers = Array.from({ length: reader.segmentCount(size) }, (_, n) => n)
  const begun = await Promise.all(numbers.map((n) => reader.begin(path, size, n)))
  await reader.flush()
  async function* segments(): AsyncGenerator<Segment> {
    for (const { result } of begun) yield await result
  }
  return reader.assemble(path, stats, segments())
}

async function requireContent({ objects }: Parts, outcome: ReadOutcome, bytes: Buffer): Promise<void> {
  if (outcome.type !== 'read') throw new Error(outcome.reason)
  expect(outcome.file.size).toBe(bytes.length)
  const ids: string[] = []
  for await (const run of walkChunks(objects.load, outcome.file.content, outcome.file.size))
    ids.push(...splitIds(run.ids))
  const expected: string[] = []
  for (let at = 0; at < bytes.length; at += SEGMENT)
    expected.push(...expectedChunks(bytes.subarray(at, at + SEGMENT), DEFAULT_CUT_PARAMETERS).ids)
  expect(ids).toEqual(expected)
}

test('files of any size, by segments', async () => {
  const parts = readerOf()
  for (const size of [0, 1, SMALL_BYTES, SMALL_BYTES + 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT - 1]) {
    const content = seededBytes(size, size)
    writeFileSync(path, content)
    const outcome = await readFile(parts)
    await requireContent(parts, outcome, content)
    expect(outcome).not.toHaveProperty('file.torn')
    expect(parts.bytesRead).toBe(size)
    parts.bytesRead = 0
  }
})

test('without segments, assemble reads by itself', async () => {
  const parts = readerOf()
  const content = seededBytes(1, 2 * SEGMENT + 5)
  writeFileSync(path, content)
  await requireContent(parts, await parts.reader.assemble(path, lstatSync(path, { bigint: true })), content)
})

describe('a file that changes', () => {
  test('before it is opened: is read again, with the stats that belong to it', async () => {
    writeFileSync(path, 'old')
    const parts = readerOf()
    const outcome = await readFile(parts, () => writeFileSync(path, 'newer content'))
    await requireContent(parts, outcome, Buffer.from('newer content'))
    expect(parts.tasks).toHaveLength(2)
    const now = fileSignature(lstatSync(path, { bigint: true }))
    expect(outcome.type === 'read' && [fileSignature(outcome.stats), outcome.file.torn]).toEqual([now, undefined])
  })

  test.each([[1], [2], [3], [9]])('while it is read, %i times', async (changes) => {
    writeFileSync(path, '.')
    let reads = 0
    const parts = readerOf(async (task, options) => {
      const result = await reallyCut(task, options)
      if (reads++ >= changes) return result
      appendFileSync(path, 'x')
      return { ...result, files: result.files.map((file) => ({ ...file, after: 'different' })) }
    })
    const outcome = await readFile(parts)
    const isTorn = changes >= 3
    expect(reads).toBe(isTorn ? 3 : changes + 1)
    await requireContent(parts, outcome, Buffer.from('.'.padEnd(reads, 'x')))
    expect(outcome).toMatchObject(isTorn ? { file: { torn: true } } : { type: 'read' })
    if (!isTorn) expect(outcome).not.toHaveProperty('file.torn')
  })

  test('between two of its segments', async () => {
    const content = seededBytes('segments', SEGMENT + 100)
    writeFileSync(path, content)
    let reads = 0
    const parts = readerOf(async (task, options) => {
      if (++reads === 2) appendFileSync(path, 'tail')
      return reallyCut(task, options)
    })
    await requireContent(parts, await readFile(parts), Buffer.concat([content, Buffer.from('tail')]))
    expect(reads).toBe(4)
  })

  test.each<[string, () => void, string]>([
    ['vanishes', () => {}, 'no such file or directory'],
    ['becomes a directory', () => mkdirSync(path), 'it is not a regular file any more'],
    ['becomes a link', () => symlinkSync('/etc/passwd', path), 'a symbolic link is in the way'],
  ])('so that it %s has failed', async (_, make, reason) => {
    writeFileSync(path, 'content')
    const change = (): void => {
      rmSync(path)
      make()
    }
    expect(await readFile(readerOf(), change)).toEqual({ type: 'failed', reason })
  })

  test.each<[string, () => void, string]>([
    ['vanishes', () => {}, 'no such file or directory'],
    ['becomes a directory', () => mkdirSync(path), 'it is not a regular file any more'],
  ])('and %s before it is read again has failed', async (_, make, reason) => {
    writeFileSync(path, 'content')
    const parts = readerOf(async (task, options) => {
      const result = await reallyCut(task, options)
      rmSync(path)
      make()
      return { ...result, files: result.files.map((file) => ({ ...file, after: '' })) }
    })
    expect(await readFile(parts)).toEqual({ type: 'failed', reason })
  })
})

test('a failed segment fails the file, and the others are awaited', async () => {
  writeFileSync(path, seededBytes(1, 3 * SEGMENT))
  const parts = readerOf(async (task, options) => {
    const result = await reallyCut(task, options)
    const [file] = task.files
    const isSecond = file && 'offset' in file && file.offset === SEGMENT
    return isSecond ? { ...result, files: [{ ...result.files[0]!, failure: 'bad luck' }] } : result
  })
  expect(await readFile(parts)).toEqual({ type: 'failed', reason: 'bad luck' })
  expect(parts.tasks).toHaveLength(3)
})

describe('tasks', () => {
  const none: RunCut = async ({ files }) => ({
    files: files.map(() => ({ chunkCount: 0, bytes: 0, bytesRead: 0, before: '', after: '' })),
    ids: new Uint8Array(0),
    lengths: new Uint32Array(0),
  })

  test('small files share them, up to a number of files or bytes; large ones have their own', async () => {
    const { reader, tasks } = readerOf(none)
    for (let i = 0; i < 600; i++) await reader.begin(path, 10, 0)
    await reader.flush()
    for (let i = 0; i < 9; i++) await reader.begin(path, SMALL_BYTES, 0)
    await reader.begin(path, SMALL_BYTES + 1, 0)
    await reader.flush()
    await reader.flush()
    expect(tasks.map(({ files }) => files.length)).toEqual([256, 256, 88, 4, 4, 1, 1])
    expect(tasks.at(-2)!.files).toEqual([{ path, offset: 0, length: SMALL_BYTES + 1 }])
  })

  test('no more of them begin than can soon be run', async () => {
    let finish = (): void => {}
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const { reader, tasks } = readerOf((task, options) => finished.then(() => none(task, options)), 2)
    const begun = Array.from({ length: 9 }, (_, n) => reader.begin(path, 2 ** 40, n))
    await setImmediate()
    expect(tasks).toHaveLength(4)
    finish()
    await Promise.all(begun)
    expect(tasks).toHaveLength(9)
  })

  test('what must stop the backup rejects, and disturbs nobody where it is not awaited', async () => {
    const error = new ChainkeepError('NO_SPACE', 'full')
    const { reader } = readerOf(() => Promise.reject(error))
    const large = await reader.begin(path, 2 ** 30, 0)
    await reader.begin(path, 2 ** 30, 1)
    const small = await reader.begin(path, 10, 0)
    await reader.begin(path, 10, 0)
    const bytes = await reader.beginBytes(new Uint8Array(10))
    await reader.beginBytes(new Uint8Array(10))
    await reader.flush()
    await setImmediate() // an unhandled rejection would be reported by now
    for (const { result } of [large, small, bytes]) await expect(result).rejects.toBe(error)
  })
})
