import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { createTools } from '../../src/worker/tools.ts'
import { runWrite, type WriteResult, type WriteTask } from '../../src/worker/write.ts'
import { packOf } from '../helpers/records.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
beforeEach(async () => {
  tmp = await temporaryDirectory()
})
afterEach(() => tmp[Symbol.asyncDispose]())

const content = [seededBytes('a', 1000), Buffer.from('b'.repeat(5000)), Buffer.alloc(3000), seededBytes('d', 70_000)]
const [a, b, zeros, d] = content as [Buffer, Buffer, Buffer, Buffer]
const tools = createTools()

/** An existing, empty file. */
function target(name: string): ByteString {
  writeFileSync(join(tmp.path, name), '')
  return byteStringOf(join(tmp.path, name))
}
const read = (name: string): Buffer => readFileSync(join(tmp.path, name))

/** `writes`: object, path, offset. */
function run(
  paths: readonly ByteString[],
  writes: readonly (readonly [number, number, number])[],
  options: Partial<WriteTask> = {},
): Promise<WriteResult> {
  const task = { ...packOf(content), paths, writes: Float64Array.from(writes.flat()), skipZeros: new Uint8Array(9) }
  return runWrite({ ...task, ...options }, tools)
}

test('writes every chunk to every place', async () => {
  const paths = [target('one'), target('two')]
  const result = await run(paths, [
    [0, 0, 0],
    [0, 0, 6000],
    [0, 1, 0],
    [1, 0, 1000],
    [3, 1, 1000],
  ])
  expect(result).toEqual({ bytesWritten: 3 * a.length + b.length + d.length, failures: [] })
  expect(read('one').equals(Buffer.concat([a, b, a]))).toBe(true)
  expect(read('two').equals(Buffer.concat([a, d]))).toBe(true)
})

test('writes beyond 4 GiB', async () => {
  await run([target('far')], [[0, 0, 2 ** 33]])
  const tail = execFileSync('tail', ['-c', '1000', join(tmp.path, 'far')])
  expect(tail.equals(a)).toBe(true)
})

test('leaves zeros out where the file is a hole, and only there', async () => {
  const paths = [target('hole'), target('old')]
  writeFileSync(join(tmp.path, 'old'), 'x'.repeat(3000))
  const skipZeros = Uint8Array.of(1, 0)
  const result = await run(
    paths,
    [
      [0, 0, 3000],
      [2, 0, 0],
      [2, 1, 0],
    ],
    { skipZeros },
  )
  expect(result.bytesWritten).toBe(a.length + zeros.length)
  expect(read('hole').equals(Buffer.concat([zeros, a]))).toBe(true)
  expect(read('old').equals(zeros)).toBe(true)
})

test('a damaged object is named and not written, the others are', async () => {
  const pack = packOf(content)
  const bytes = Uint8Array.from(pack.bytes)
  bytes[pack.list[1]!.offset - pack.offset + 40]! ^= 1
  const result = await run(
    [target('one')],
    [
      [0, 0, 0],
      [1, 0, 1000],
      [1, 0, 6000],
      [3, 0, 11_000],
    ],
    { bytes },
  )
  expect(result).toMatchObject({ bytesWritten: a.length + d.length, failures: [{ object: 1, code: 'CORRUPT' }] })
  expect(result.failures).toHaveLength(1)
  expect(result.failures[0]!.message).toContain(pack.file)
  expect(read('one').equals(Buffer.concat([a, Buffer.alloc(10_000), d]))).toBe(true)
})

describe('a target that cannot be written is named once, the others are written:', () => {
  test.each<[string, (path: string) => void, string]>([
    ['missing', () => {}, 'no such file'],
    ['a directory', (path) => mkdirSync(path), 'it is a directory'],
    ['a link', (path) => symlinkSync('/etc/passwd', path), 'a symbolic link is in the way'],
    ['a FIFO that nobody reads', (path) => execFileSync('mkfifo', [path]), 'no such device or address'],
  ])('%s', async (_, make, reason) => {
    const bad = join(tmp.path, 'bad')
    make(bad)
    const result = await run(
      [byteStringOf(bad), target('good')],
      [
        [0, 0, 0],
        [0, 1, 0],
        [1, 0, 1000],
        [1, 1, 1000],
      ],
    )
    expect(result.failures).toEqual([
      { path: 0, code: expect.any(String), message: expect.stringContaining(`cannot write ${bad}: `) },
    ])
    expect(result.failures[0]!.message).toContain(reason)
    expect(result.bytesWritten).toBe(a.length + b.length)
    expect(read('good').equals(Buffer.concat([a, b]))).toBe(true)
  })

  test('a full disk', async () => {
    const result = await run(
      [byteStringOf('/dev/full'), target('good')],
      [
        [0, 0, 0],
        [0, 1, 0],
      ],
    )
    expect(result).toMatchObject({ bytesWritten: 1000, failures: [{ path: 0, code: 'NO_SPACE' }] })
  })
})

test.skipIf(process.platform !== 'linux')('more files than may be open at once, and all are closed', async () => {
  const paths = Array.from({ length: 150 }, (_, i) => target(`f${i}`))
  const writes = [0, 1].flatMap((object) => paths.map((_, path) => [object, path, object * 1000] as const))
  expect(await run(paths, writes)).toMatchObject({ failures: [], bytesWritten: 150 * (a.length + b.length) })
  for (const i of paths.keys()) expect(read(`f${i}`).equals(Buffer.concat([a, b]))).toBe(true)
  const open = readdirSync('/proc/self/fd').map((fd) => tryReadlink(`/proc/self/fd/${fd}`))
  expect(open.filter((path) => path.startsWith(tmp.path))).toEqual([])
})

/** The descriptor that readdir had is gone by now. */
function tryReadlink(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
