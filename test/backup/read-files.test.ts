import {
  appendFileSync,
  type BigIntStats,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Kept } from '../../src/backup/grown-files.ts'
import type { Journal } from '../../src/backup/journal.ts'
import type { ReadPart } from '../../src/backup/journal-file.ts'
import { FileReader, type ReadOutcome, type Segment, SMALL_BYTES } from '../../src/backup/read-files.ts'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { ID_BYTES, type ObjectId, objectIdAt } from '../../src/base/ids.ts'
import { DEFAULT_CUT_PARAMETERS } from '../../src/chunker/fastcdc.ts'
import type { RepositoryConfig } from '../../src/format/config.ts'
import { walkChunks } from '../../src/repository/lists.ts'
import type { WriteSession } from '../../src/repository/write-session.ts'
import { type CutResult, type CutTask, type Part, runCut } from '../../src/worker/cut.ts'
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
const allLengths = new Map<ObjectId, number>()
const reallyCut: RunCut = async (task, { answer }) => {
  const result = await runCut(task, tools, answer!)
  for (const [i, id] of splitIds(result.ids).entries()) allLengths.set(id, result.lengths[i]!)
  return result
}

interface Parts {
  readonly reader: FileReader
  readonly tasks: CutTask[]
  readonly objects: ReturnType<typeof memoryObjects>
  bytesRead: number
  bytesTakenOver: number
  /** What the repository holds of what was ever cut. */
  isStored: (id: ObjectId) => boolean
}

/** A reader whose tasks are run by `run`, which is heard of. */
function readerOf(run: RunCut = reallyCut, capacity = 2, journal?: Journal): Parts {
  const store = chunkStore()
  const objects = memoryObjects()
  const session = {
    claim: (_: string, ids: Uint8Array) => store.answer({ type: 'claim', ids }),
    add: (_: string, sealed: object) => store.answer({ ...sealed, type: 'store' }),
    saveObject: objects.save,
    storedLengths: async (_: string, ids: Uint8Array) =>
      splitIds(ids).map((id) => (parts.isStored(id) ? allLengths.get(id) : undefined)),
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
    journal,
    load: objects.load,
    onTakenOver: (bytes) => {
      parts.bytesTakenOver += bytes
    },
    onBytesRead: (bytes) => {
      parts.bytesRead += bytes
    },
  })
  const parts: Parts = { reader, tasks, objects, bytesRead: 0, bytesTakenOver: 0, isStored: () => true }
  return parts
}

/** Begins and assembles as a backup does; `between` runs after the file was looked at. */
async function readFile({ reader }: Parts, between: () => void = () => {}): Promise<ReadOutcome> {
  const stats = lstatSync(path, { bigint: true })
  between()
  const begun = await Promise.all(reader.partsOf(Number(stats.size)).map((part) => reader.begin(path, part, stats)))
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

describe('a file of which something is kept', () => {
  const content = seededBytes('kept', 3 * SEGMENT + 700_000)
  /** Of the file as it was, up to the beginning of its chunk number `n`. */
  async function keptOf(parts: Parts, n: number): Promise<Kept> {
    writeFileSync(path, content)
    const outcome = await readFile(parts)
    if (outcome.type !== 'read') throw new Error(outcome.reason)
    let end = 0
    for await (const { lengths } of walkChunks(parts.objects.load, outcome.file.content, content.length))
      for (const length of lengths) if (n-- > 0) end += length
    parts.bytesRead = 0
    return { content: outcome.file.content!, size: content.length, end }
  }
  async function assemble({ reader }: Parts, kept: Kept): Promise<ReadOutcome> {
    const stats = lstatSync(path, { bigint: true })
    const begun = await Promise.all(
      reader.partsOf(Number(stats.size), kept.end).map((part) => reader.begin(path, part)),
    )
    await reader.flush()
    async function* segments(): AsyncGenerator<Segment> {
      for (const { result } of begun) yield await result
    }
    return reader.assemble(path, stats, segments(), kept)
  }

  test('is read from there on, and comes out as if all of it were, wherever that is in a segment', async () => {
    for (const n of [1, 5, 20, 40, 60, 80]) {
      const parts = readerOf()
      const kept = await keptOf(parts, n)
      const grown = Buffer.concat([content, seededBytes(n, n * 70_000)])
      writeFileSync(path, grown)
      await requireContent(parts, await assemble(parts, kept), grown)
      expect(kept.end).toBeGreaterThan(0)
      expect([parts.bytesRead, parts.bytesTakenOver]).toEqual([grown.length - kept.end, kept.end])
    }
  })

  test.each<[string, () => void, boolean]>([
    ['goes on growing', () => appendFileSync(path, 'more'), true],
    ['is cut off', () => truncateSync(path, content.length - 1), false],
    [
      'is replaced',
      () => {
        writeFileSync(`${path}-new`, content)
        renameSync(`${path}-new`, path)
      },
      false,
    ],
  ])('and that %s while it is read', async (_, change, isKept) => {
    let reads = 0
    const parts: Parts = readerOf(async (task, options) => {
      if (++reads === firstRead) change()
      return reallyCut(task, options)
    })
    let firstRead = Number.POSITIVE_INFINITY
    const kept = await keptOf(parts, 60)
    firstRead = reads + 1
    await requireContent(parts, await assemble(parts, kept), readFileSync(path))
    expect(parts.bytesTakenOver).toBe(isKept ? kept.end : 0)
    expect(parts.bytesRead < content.length).toBe(isKept)
  })
})

describe('what an unfinished backup has read', () => {
  /** A journal that knows `known` and keeps what is noted. */
  function journalOf(known: readonly ReadPart[]): { journal: Journal; noted: ReadPart[] } {
    const noted: ReadPart[] = []
    const journal = {
      find: (of: ByteString, stats: BigIntStats, { offset, length }: Part) =>
        known.find(
          (part) =>
            part.path === of &&
            part.signature === fileSignature(stats) &&
            part.offset === offset &&
            part.lengths.reduce((sum, each) => sum + each, 0) === length,
        ),
      add: (part: ReadPart) => noted.push({ ...part, ids: Uint8Array.from(part.ids) }),
    }
    return { journal: journal as unknown as Journal, noted }
  }
  const contentOf = (outcome: ReadOutcome) => (outcome.type === 'read' ? outcome.file : undefined)
  const content = seededBytes('journal', 2 * SEGMENT + 700_000)

  test('is noted by segments, and is not read again as long as it is stored', async () => {
    writeFileSync(path, content)
    const first = journalOf([])
    const parts = readerOf(reallyCut, 2, first.journal)
    const outcome = contentOf(await readFile(parts))
    expect(first.noted.map(({ offset }) => offset)).toEqual([0, SEGMENT, 2 * SEGMENT])
    for (const isStored of [true, false]) {
      const second = journalOf(first.noted)
      const next = readerOf(reallyCut, 2, second.journal)
      next.isStored = () => isStored
      expect(contentOf(await readFile(next))).toEqual(outcome)
      expect([next.bytesRead, next.bytesTakenOver]).toEqual(isStored ? [0, content.length] : [content.length, 0])
      expect(second.noted).toEqual(first.noted)
    }
  })

  test('is read again where one of its chunks is not stored, or is not as long', async () => {
    writeFileSync(path, content)
    const { journal, noted } = journalOf([])
    const outcome = contentOf(await readFile(readerOf(reallyCut, 2, journal)))
    const missing = objectIdAt(noted[1]!.ids, ID_BYTES)
    const next = readerOf(reallyCut, 2, journalOf(noted).journal)
    next.isStored = (id) => id !== missing
    expect(contentOf(await readFile(next))).toEqual(outcome)
    expect([next.bytesRead, next.bytesTakenOver]).toEqual([SEGMENT, content.length - SEGMENT])
    const shorter = {
      ...noted[2]!,
      lengths: Uint32Array.from(noted[2]!.lengths, (length, i) => length + [1, -1, 0][Math.min(i, 2)]!),
    }
    const other = readerOf(reallyCut, 2, journalOf([...noted.slice(0, 2), shorter]).journal)
    expect(contentOf(await readFile(other))).toEqual(outcome)
    expect(other.bytesRead).toBe(content.length - 2 * SEGMENT)
  })

  test('small files, many at a time, those that are not stored among them', async () => {
    const names = Array.from({ length: 600 }, (_, i) => byteStringOf(join(tmp.path, `small${i}`)))
    for (const [i, name] of names.entries()) writeFileSync(name, `content ${i}`)
    const all = async (parts: Parts): Promise<Segment[]> => {
      const segments = []
      for (const name of names) {
        const stats = lstatSync(name, { bigint: true })
        segments.push(await parts.reader.begin(name, { offset: 0, length: Number(stats.size) }, stats))
      }
      await parts.reader.flush()
      return Promise.all(segments.map(({ result }) => result))
    }
    const segments = await all(readerOf())
    const noted = segments.map(({ ids, lengths, before }, i) => ({
      path: names[i]!,
      signature: before,
      offset: 0,
      ids,
      lengths,
    }))
    const lost = new Set(noted.filter((_, i) => i % 100 === 0).map(({ ids }) => objectIdAt(ids)))
    const next = readerOf(reallyCut, 2, journalOf(noted).journal)
    next.isStored = (id) => !lost.has(id)
    expect((await all(next)).map(({ ids }) => objectIdAt(ids))).toEqual(segments.map(({ ids }) => objectIdAt(ids)))
    expect(next.bytesRead).toBe(
      noted.filter((_, i) => i % 100 === 0).reduce((sum, { lengths }) => sum + lengths[0]!, 0),
    )
    expect(next.tasks.length).toBeLessThanOrEqual(3)
  })

  test('a file that changes while it is read is noted as what it became', async () => {
    writeFileSync(path, content)
    let reads = 0
    const { journal, noted } = journalOf([])
    const parts = readerOf(
      async (task, options) => {
        if (++reads === 3) appendFileSync(path, 'more')
        return reallyCut(task, options)
      },
      2,
      journal,
    )
    await readFile(parts)
    const now = fileSignature(lstatSync(path, { bigint: true }))
    expect(noted.filter(({ signature }) => signature === now).map(({ offset }) => offset)).toEqual([
      0,
      SEGMENT,
      2 * SEGMENT,
    ])
    expect(noted.filter(({ signature }) => signature !== now).every(({ offset }) => offset < 2 * SEGMENT)).toBe(true)
  })
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
    for (let i = 0; i < 600; i++) await reader.begin(path, { offset: 0, length: 10 })
    await reader.flush()
    for (let i = 0; i < 9; i++) await reader.begin(path, { offset: 0, length: SMALL_BYTES })
    await reader.begin(path, { offset: 0, length: SMALL_BYTES + 1 })
    await reader.flush()
    await reader.flush()
    expect(tasks.map(({ files }) => files.length)).toEqual([256, 256, 88, 4, 4, 1, 1])
    expect(tasks.at(-2)!.files).toEqual([{ path, offset: 0, length: SMALL_BYTES + 1 }])
  })

  test('no more of them begin than can soon be run', async () => {
    let finish = (): void => {}
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const { reader, tasks } = readerOf((task, options) => finished.then(() => none(task, options)), 2)
    const begun = Array.from({ length: 9 }, () => reader.begin(path, { offset: 0, length: SEGMENT }))
    await setImmediate()
    expect(tasks).toHaveLength(4)
    finish()
    await Promise.all(begun)
    expect(tasks).toHaveLength(9)
  })

  test('what must stop the backup rejects, and disturbs nobody where it is not awaited', async () => {
    const error = new ChainkeepError('NO_SPACE', 'full')
    const { reader } = readerOf(() => Promise.reject(error))
    const large = await reader.begin(path, { offset: 0, length: SEGMENT })
    await reader.begin(path, { offset: SEGMENT, length: SEGMENT })
    const small = await reader.begin(path, { offset: 0, length: 10 })
    await reader.begin(path, { offset: 0, length: 10 })
    const bytes = await reader.beginBytes(new Uint8Array(10))
    await reader.beginBytes(new Uint8Array(10))
    await reader.flush()
    await setImmediate() // an unhandled rejection would be reported by now
    for (const { result } of [large, small, bytes]) await expect(result).rejects.toBe(error)
  })
})
