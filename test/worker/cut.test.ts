import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, statSync, symlinkSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ByteString, byteStringOf, fromByteString } from '../../src/base/bytes.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { DEFAULT_CUT_PARAMETERS } from '../../src/chunker/fastcdc.ts'
import type { CutParameters } from '../../src/native/scan.ts'
import { type CutFile, type CutFileResult, type CutResult, runCut } from '../../src/worker/cut.ts'
import { WorkerPool } from '../../src/worker/pool.ts'
import type { Ask } from '../../src/worker/tasks.ts'
import { createTools } from '../../src/worker/tools.ts'
import { chunkStore, expectedChunks, splitIds } from '../helpers/chunk-store.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

const MIB = 2 ** 20
const SLICE = 4 * MIB + DEFAULT_CUT_PARAMETERS.maxBytes

let tmp: TemporaryDirectory
let pool: WorkerPool
/** Whether the file system keeps holes. */
let hasHoles: boolean
beforeAll(async () => {
  tmp = await temporaryDirectory()
  writeFileSync(join(tmp.path, 'hole'), '')
  truncateSync(join(tmp.path, 'hole'), MIB)
  hasHoles = statSync(join(tmp.path, 'hole')).blocks === 0
  pool = new WorkerPool({ threads: 1 })
})
afterAll(async () => {
  await pool[Symbol.asyncDispose]()
  await tmp[Symbol.asyncDispose]()
})

type Run = (files: readonly CutFile[], ask: Ask, parameters?: CutParameters) => Promise<CutResult>
const tools = createTools()
const OPTIONS = { effort: 'auto', holesBeforeMs: Number.POSITIVE_INFINITY } as const
const inline: Run = (files, ask, parameters = DEFAULT_CUT_PARAMETERS) =>
  runCut({ ...OPTIONS, files, parameters }, tools, ask)
const onThread: Run = (files, answer, parameters = DEFAULT_CUT_PARAMETERS) =>
  pool.run('cut', { ...OPTIONS, files, parameters }, { bytes: 2 ** 40, answer })

let count = 0
function fileOf(content: Uint8Array): CutFile & { readonly path: ByteString } {
  const path = join(tmp.path, `f${count++}`)
  writeFileSync(path, content)
  return { path: byteStringOf(path), offset: 0, length: content.length }
}

/** A file that has only its `data` on the disk, where the file system has holes. */
function sparseFile(content: Buffer, data: readonly [at: number, length: number][]): ReturnType<typeof fileOf> {
  const file = fileOf(Buffer.alloc(0))
  const path = fromByteString(file.path)
  truncateSync(path, content.length)
  const fd = openSync(path, 'r+')
  for (const [at, length] of data) writeSync(fd, content, at, length, at)
  closeSync(fd)
  return { ...file, length: content.length }
}

/** The chunks of each file of a result. */
function perFile({ files, ids, lengths }: CutResult): { ids: string[]; lengths: number[] }[] {
  let at = 0
  return files.map(({ chunkCount }) => {
    at += chunkCount
    return {
      ids: splitIds(ids).slice(at - chunkCount, at),
      lengths: [...lengths.subarray(at - chunkCount, at)],
    }
  })
}

test('reads what was written too recently', async () => {
  const content = Buffer.alloc(20 * MIB)
  const file = sparseFile(content, [])
  const { ctimeMs } = statSync(fromByteString(file.path))
  for (const [holesBeforeMs, bytesRead] of [
    [Math.floor(ctimeMs), 20 * MIB],
    [ctimeMs + 1, hasHoles ? 0 : 20 * MIB],
  ] as const) {
    const task = { ...OPTIONS, files: [file], parameters: DEFAULT_CUT_PARAMETERS, holesBeforeMs }
    const result = await runCut(task, tools, chunkStore().answer)
    expect(perFile(result)).toEqual([expectedChunks(content, DEFAULT_CUT_PARAMETERS)])
    expect(result.files[0]).toMatchObject({ bytesRead })
  }
})

describe.each([
  ['on the calling thread', inline],
  ['on a thread of its own', onThread],
])('a cut task %s', (_, run) => {
  test('finds the chunks of whole files around every border of a slice, and seals them', async () => {
    const sizes = [0, 1, 2, 16_383, 16_384, 16_385, 65_536, 262_143, 262_144, 262_145]
    sizes.push(4 * MIB - 1, 4 * MIB, 4 * MIB + 1, SLICE - 1, SLICE, SLICE + 1, SLICE + 4 * MIB)
    for (const size of sizes) {
      const content = seededBytes(size, size)
      const store = chunkStore()
      const result = await run([fileOf(content)], store.answer)
      const expected = expectedChunks(content, DEFAULT_CUT_PARAMETERS)
      expect(perFile(result), `${size} bytes`).toEqual([expected])
      expect(result.files[0]).toMatchObject({ bytes: size, bytesRead: size, failure: undefined })
      expect(Buffer.concat(expected.ids.map((id) => store.chunks.get(id)!)).equals(content)).toBe(true)
    }
  })

  test('keeps the files of a batch apart', async () => {
    const contents = Array.from({ length: 200 }, (_, i) => seededBytes(i, (i * 7919) % 90_000))
    const result = await run(contents.map(fileOf), chunkStore().answer)
    expect(perFile(result)).toEqual(contents.map((content) => expectedChunks(content, DEFAULT_CUT_PARAMETERS)))
    expect(result.files.map(({ bytes }) => bytes)).toEqual(contents.map((content) => content.length))
  })

  test('starts afresh with every segment of a file', async () => {
    const content = seededBytes('segments', 3 * MIB + 5)
    const { path } = fileOf(content)
    const segments = [0, MIB, 2 * MIB, 3 * MIB].map((offset) => ({ path, offset, length: offset < 3 * MIB ? MIB : 5 }))
    const result = await run(segments, chunkStore().answer)
    expect(perFile(result)).toEqual(
      segments.map(({ offset, length }) =>
        expectedChunks(content.subarray(offset, offset + length), DEFAULT_CUT_PARAMETERS),
      ),
    )
  })

  test('takes bytes as it takes files', async () => {
    const content = seededBytes('bytes', SLICE + MIB)
    const result = await run([{ bytes: Uint8Array.from(content) }], chunkStore().answer)
    expect(perFile(result)).toEqual([expectedChunks(content, DEFAULT_CUT_PARAMETERS)])
    expect(result.files[0]).toMatchObject({ bytes: content.length, before: '', after: '' })
  })

  test('knows zeros, among other bytes, too', async () => {
    const contents = [
      Buffer.alloc(10 * MIB + 3),
      Buffer.concat([seededBytes(1, 70_000), Buffer.alloc(MIB), seededBytes(2, 70_000), Buffer.alloc(600_000)]),
    ]
    const store = chunkStore()
    const result = await run(contents.map(fileOf), store.answer)
    const expected = contents.map((content) => expectedChunks(content, DEFAULT_CUT_PARAMETERS))
    expect(perFile(result)).toEqual(expected)
    expect([...store.chunks.keys()].sort()).toEqual([...new Set(expected.flatMap(({ ids }) => ids))].sort())
  })

  test('passes over holes, and cuts as if it had read them', async () => {
    // Data at these places of a file of this length, which ends in a hole unless the last of them reaches there.
    const layouts: [size: number, ...data: [at: number, length: number][]][] = [
      [20 * MIB],
      [20 * MIB + 12_345],
      [30 * MIB + 1, [0, 1]],
      [30 * MIB, [70_000, 100_000], [10 * MIB, 3 * MIB], [30 * MIB - 5, 5]],
      [24 * MIB, [0, SLICE - 100_000]], // the hole begins just before a slice ends
      [32 * MIB, [MIB + 1, 900_000], [20 * MIB, 300_000], [20 * MIB + 600_000, 300_000]],
    ]
    for (const [size, ...data] of layouts) {
      const content = Buffer.alloc(size)
      for (const [at, length] of data) seededBytes(at, length).copy(content, at)
      const file = sparseFile(content, data)
      const store = chunkStore()
      const result = await run([file, fileOf(Buffer.from('next'))], store.answer)
      const expected = expectedChunks(content, DEFAULT_CUT_PARAMETERS)
      expect(perFile(result)).toEqual([expected, expectedChunks(Buffer.from('next'), DEFAULT_CUT_PARAMETERS)])
      expect(result.files[0]).toMatchObject({ bytes: size, failure: undefined, before: result.files[0]!.after })
      if (hasHoles) expect(result.files[0]!.bytesRead).toBeLessThan(5 * MIB)
      for (const id of expected.ids) expect(store.chunks.has(id)).toBe(true)
    }
  })

  test('passes over holes at the beginning and end of a part', async () => {
    const content = Buffer.alloc(24 * MIB)
    seededBytes(1, 2 * MIB).copy(content, 11 * MIB)
    const file = sparseFile(content, [[11 * MIB, 2 * MIB]])
    const parts = [1, 5 * MIB, 11 * MIB + 100_000, 12 * MIB, 20 * MIB].map((offset) => ({
      ...file,
      offset,
      length: 24 * MIB - 3 - offset,
    }))
    const result = await run(parts, chunkStore().answer)
    expect(perFile(result)).toEqual(
      parts.map(({ offset }) => expectedChunks(content.subarray(offset, 24 * MIB - 3), DEFAULT_CUT_PARAMETERS)),
    )
  })

  test('seals only what is wanted', async () => {
    const content = seededBytes('some', 3 * MIB)
    const { ids } = expectedChunks(content, DEFAULT_CUT_PARAMETERS)
    const wanted = ids.filter((_, i) => i % 3 === 0)
    const store = chunkStore((id) => wanted.includes(id))
    await run([fileOf(content)], store.answer)
    expect([...store.chunks.keys()]).toEqual(wanted)
    const none = chunkStore(() => false)
    await run([fileOf(content)], none.answer)
    expect(none).toMatchObject({ claims: [ids.length], chunks: new Map() })
  })

  test('takes chunks larger than a slice', async () => {
    const parameters = { minBytes: MIB, averageBytes: 4 * MIB, maxBytes: 16 * MIB, level: 3 }
    const content = Buffer.concat([seededBytes('large', 5 * MIB), Buffer.alloc(17 * MIB, 7)])
    const store = chunkStore()
    const result = await run([fileOf(content)], store.answer, parameters)
    expect(perFile(result)).toEqual([expectedChunks(content, parameters)])
    expect(Math.max(...result.lengths)).toBe(16 * MIB)
  })

  test.each([
    ['ours', new ChainkeepError('NO_SPACE', 'full')],
    ['like those of a file', Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'write' })],
  ])('rejects when who answers does, with an error %s', async (_, error) => {
    for (const failing of ['claim', 'store']) {
      const { answer } = chunkStore()
      const ask: Ask = (question) =>
        (question as { type: string }).type === failing ? Promise.reject(error) : answer(question)
      await expect(run([fileOf(seededBytes(failing, 3 * SLICE))], ask)).rejects.toBe(error)
    }
  })

  test('asks about one slice while it reads the next', async () => {
    const store = chunkStore()
    let waiting = 0
    let most = 0
    const ask: Ask = async (question) => {
      most = Math.max(most, ++waiting)
      await new Promise((resolve) => setTimeout(resolve, 20))
      waiting--
      return store.answer(question)
    }
    await run([fileOf(seededBytes('overlap', 4 * SLICE))], ask)
    expect(most).toBe(2)
  })

  describe('after the file was looked at', () => {
    const good = seededBytes('good', 50_000)
    const change = async (make: (path: string) => void, length = 1000): Promise<CutFileResult> => {
      const path = join(tmp.path, `changed${count++}`)
      make(path)
      const changed = { path: byteStringOf(path), offset: 0, length }
      const result = await run([fileOf(good), changed, fileOf(good)], chunkStore().answer)
      const [before, , after] = perFile(result)
      expect([before, after]).toEqual(Array(2).fill(expectedChunks(good, DEFAULT_CUT_PARAMETERS)))
      return result.files[1]!
    }

    test('it shrank: there are fewer bytes', async () => {
      expect(await change((path) => writeFileSync(path, 'short'))).toMatchObject({ bytes: 5, failure: undefined })
    })
    test('it grew: no more is read than was asked for', async () => {
      const file = await change((path) => writeFileSync(path, seededBytes(1, 5000)))
      expect(file).toMatchObject({ bytes: 1000, chunkCount: 1, failure: undefined })
      expect(file.after).toBe(file.before)
    })
    test('it shrank: a segment beyond its end is empty', async () => {
      const { path } = fileOf(good)
      const result = await run([{ path, offset: MIB, length: MIB }], chunkStore().answer)
      expect(result.files[0]).toMatchObject({ bytes: 0, chunkCount: 0, failure: undefined })
    })
    test.each<[string, (path: string) => void, RegExp]>([
      ['vanished', () => {}, /^no such file or directory$/],
      ['became a directory', (path) => mkdirSync(path), /^it is not a regular file any more$/],
      ['became a FIFO', (path) => execFileSync('mkfifo', [path]), /^it is not a regular file any more$/],
      ['became a link to a file', (path) => symlinkSync('/etc/passwd', path), /^a symbolic link is in the way$/],
      ['became a link to nothing', (path) => symlinkSync('/nowhere', path), /^a symbolic link is in the way$/],
    ])('it %s: that is said', async (_, make, failure) => {
      expect(await change(make)).toMatchObject({ bytes: 0, chunkCount: 0, failure: expect.stringMatching(failure) })
    })
  })

  test('an error while reading is told, and the next file read', async () => {
    // Memory that is not mapped reads as EIO, for root, too.
    const file = { path: byteStringOf('/proc/self/mem'), offset: 0, length: 1000 }
    const result = await run([file, fileOf(Buffer.from('next'))], chunkStore().answer)
    expect(result.files[0]).toMatchObject({ bytes: 0, failure: 'the device reported an input/output error' })
    expect(result.files[1]).toMatchObject({ bytes: 4, failure: undefined })
  })

  test('does not read from devices', async () => {
    const result = await run([{ path: byteStringOf('/dev/zero'), offset: 0, length: MIB }], chunkStore().answer)
    expect(result.files[0]).toMatchObject({ bytes: 0, failure: 'it is not a regular file any more' })
  })
})
