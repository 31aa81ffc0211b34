import {
  closeSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ByteString, byteStringOf, fromByteString, joinPath } from '../../src/base/bytes.ts'
import { errnoOf, fileError } from '../../src/base/errors.ts'
import {
  deviceNumbers,
  type Extent,
  extentAt,
  makeDevice,
  makeFifo,
  preallocate,
  setModifiedTime,
} from '../../src/native/posix.ts'
import { evaluateInWorker } from '../helpers/in-worker.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

const isRoot = process.getuid?.() === 0
const NOT_UTF8 = 'caf\xe9-\xff' as ByteString

let tmp: TemporaryDirectory
let files = 0
beforeAll(async () => {
  tmp = await temporaryDirectory()
})
afterAll(async () => {
  await tmp[Symbol.asyncDispose]()
})

/** A path that nothing has yet, not valid as UTF-8. */
const freshPath = (): ByteString => joinPath(byteStringOf(tmp.path), `${NOT_UTF8}${files++}` as ByteString)

function freshFile(content: string | Uint8Array = ''): ByteString {
  const path = freshPath()
  writeFileSync(fromByteString(path), content)
  return path
}

const lstat = (path: ByteString) => lstatSync(fromByteString(path), { bigint: true })

function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

function withFd<T>(path: ByteString, flags: string, use: (fd: number) => T): T {
  const fd = openSync(fromByteString(path), flags)
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}

describe('setModifiedTime', () => {
  // Within 32 signed bits, which every usual file system holds. In the first and last second of its range Linux drops the
  // nanoseconds (timestamp_truncate), so those two are left out.
  const nanoseconds = fc
    .tuple(fc.bigInt({ min: 1n - 2n ** 31n, max: 2n ** 31n - 2n }), fc.bigInt({ min: 0n, max: 999_999_999n }))
    .map(([seconds, rest]) => seconds * 1_000_000_000n + rest)

  test('is exact to the nanosecond, before 1970 as well', () => {
    const path = freshFile()
    const check = (mtimeNs: bigint): void => {
      setModifiedTime(path, mtimeNs)
      expect(lstat(path).mtimeNs).toBe(mtimeNs)
    }
    for (const example of [0n, 1n, -1n, -999_999_999n, -1_000_000_000n, -1_000_000_001n, 1_700_000_000_123_456_789n])
      check(example)
    fc.assert(fc.property(nanoseconds, check))
  })

  test('leaves the access time alone', () => {
    const path = freshFile()
    lutimesSync(fromByteString(path), 12345, 6789)
    setModifiedTime(path, 7n)
    expect(lstat(path).atimeNs).toBe(12_345_000_000_000n)
  })

  test('does not follow symbolic links, dangling or not', () => {
    const file = freshFile()
    setModifiedTime(file, 5n)
    for (const target of [file, '/nowhere' as ByteString]) {
      const link = freshPath()
      symlinkSync(fromByteString(target), fromByteString(link))
      setModifiedTime(link, -3n)
      expect(lstat(link).mtimeNs).toBe(-3n)
    }
    expect(lstat(file).mtimeNs).toBe(5n)
  })

  test('sets those of directories', () => {
    const path = freshPath()
    mkdirSync(fromByteString(path))
    setModifiedTime(path, 1_234_567_890_987_654_321n)
    expect(lstat(path).mtimeNs).toBe(1_234_567_890_987_654_321n)
  })

  test('throws errors like those of node:fs', () => {
    const error = thrownBy(() => setModifiedTime('/no/such/f\xffle' as ByteString, 0n))
    expect(error).toMatchObject({
      message: "ENOENT: no such file or directory, utimensat '/no/such/f\\xffle'",
      code: 'ENOENT',
      errno: -2,
      syscall: 'utimensat',
      path: '/no/such/f\\xffle',
    })
    expect(errnoOf(error)).toBe('ENOENT')
    expect(fileError('cannot set the time', error).code).toBe('NOT_FOUND')
  })

  test('refuses a NUL in a path instead of cutting there', () => {
    const path = freshFile()
    setModifiedTime(path, 1n)
    expect(() => setModifiedTime(`${path}\0x` as ByteString, 2n)).toThrow(RangeError)
    expect(lstat(path).mtimeNs).toBe(1n)
  })

  test('works in worker threads, several at once beside this one', async () => {
    const paths = [freshFile(), freshFile(), freshFile()]
    const results = paths.map((path, i) =>
      evaluateInWorker('native/posix.js', `module.setModifiedTime(${JSON.stringify(path)}, ${i + 1}n) ?? 'done'`),
    )
    setModifiedTime(paths[0]!, 99n)
    expect(await Promise.all(results)).toEqual(['done', 'done', 'done'])
    expect(paths.map((path) => lstat(path).mtimeNs)).toEqual([1n, 2n, 3n])
  })
})

describe('makeFifo', () => {
  test('makes one', () => {
    const path = freshPath()
    makeFifo(path, 0o600)
    expect(lstat(path).isFIFO()).toBe(true)
    expect(lstat(path).mode & 0o7777n).toBe(0o600n)
  })

  test('refuses a name that is taken', () => {
    expect(errnoOf(thrownBy(() => makeFifo(freshFile(), 0o600)))).toBe('EEXIST')
  })
})

describe('devices', () => {
  test.skipIf(process.platform !== 'linux')('numbers are what Linux says of known devices', () => {
    expect(deviceNumbers(statSync('/dev/null', { bigint: true }).rdev)).toEqual({ major: 1, minor: 3 })
    expect(deviceNumbers(statSync('/dev/urandom', { bigint: true }).rdev)).toEqual({ major: 1, minor: 9 })
  })

  test.skipIf(!isRoot)('are made with the numbers asked for (as root only)', () => {
    for (const [type, major, minor] of [
      ['char', 1, 3],
      ['block', 7, 0],
      ['block', 259, 300],
      ['char', 4095, 1_048_575],
    ] as const) {
      const path = freshPath()
      makeDevice(path, type, 0o640, major, minor)
      const stats = lstat(path)
      expect([stats.isCharacterDevice(), stats.isBlockDevice()]).toEqual([type === 'char', type === 'block'])
      expect(stats.mode & 0o7777n).toBe(0o640n)
      expect(deviceNumbers(stats.rdev)).toEqual({ major, minor })
    }
  })

  test.skipIf(process.platform !== 'linux')(
    'are not made with other numbers when there is no room for those asked for',
    () => {
      for (const [major, minor] of [
        [4096, 0],
        [1, 1_048_576],
        [0xffffffff, 0xffffffff],
      ] as const)
        expect(errnoOf(thrownBy(() => makeDevice(freshPath(), 'char', 0o600, major, minor)))).toBe('EINVAL')
    },
  )

  test.skipIf(!isRoot)('are for root only', () => {
    process.seteuid!(65534)
    try {
      // In a folder that anybody may write to, so that only the device is refused.
      const path = byteStringOf(join(tmpdir(), `chainkeep-device-${process.pid}`))
      expect(errnoOf(thrownBy(() => makeDevice(path, 'char', 0o600, 1, 3)))).toBe('EPERM')
    } finally {
      process.seteuid!(0)
    }
  })
})

const KiB = 1024

describe('preallocate', () => {
  test('reserves the blocks, and keeps what is there', () => {
    const path = freshFile('content')
    const reserved = withFd(path, 'r+', (fd) => preallocate(fd, 1024 * KiB))
    if (!reserved) return expect(lstat(path).size).toBe(7n)
    expect(lstat(path).size).toBe(1024n * 1024n)
    expect(lstat(path).blocks * 512n).toBeGreaterThanOrEqual(1024n * 1024n)
    expect(readFileSync(fromByteString(path)).subarray(0, 9).toString('latin1')).toBe('content\0\0')
  })

  test('does not shorten a file', () => {
    const path = freshFile('content')
    withFd(path, 'r+', (fd) => preallocate(fd, 3))
    withFd(path, 'r+', (fd) => preallocate(fd, 0))
    expect(readFileSync(fromByteString(path), 'utf8')).toBe('content')
  })

  test.skipIf(process.platform !== 'linux')('says so where the file system cannot', () => {
    withFd(byteStringOf('/proc/self/comm'), 'r+', (fd) => expect(preallocate(fd, 10)).toBe(false))
  })

  test.skipIf(process.platform !== 'linux')('throws what else goes wrong', () => {
    withFd(freshFile(), 'r', (fd) =>
      expect(thrownBy(() => preallocate(fd, 10))).toMatchObject({ code: 'EBADF', syscall: 'fallocate' }),
    )
  })
})

describe('extentAt', () => {
  const END = Number.POSITIVE_INFINITY
  /** The extents that one after another make up a file. */
  function extents(path: ByteString, size: number): Extent[] {
    const found: Extent[] = []
    for (let at = 0; at < size; at = found.at(-1)!.end) found.push(withFd(path, 'r', (fd) => extentAt(fd, at)))
    return found
  }

  test('tells holes from data', () => {
    const path = freshFile()
    truncateSync(fromByteString(path), 1024 * KiB)
    if (lstat(path).blocks !== 0n) return expect(extents(path, 1).map(({ isHole }) => isHole)).toEqual([false])
    expect(extents(path, 1024 * KiB)).toEqual([{ isHole: true, end: END }])
    withFd(path, 'r+', (fd) => writeSync(fd, Buffer.alloc(64 * KiB, 1), 0, 64 * KiB, 256 * KiB))
    expect(extents(path, 1024 * KiB)).toEqual([
      { isHole: true, end: 256 * KiB },
      { isHole: false, end: 320 * KiB },
      { isHole: true, end: END },
    ])
    expect(withFd(path, 'r', (fd) => extentAt(fd, 300 * KiB + 1))).toEqual({ isHole: false, end: 320 * KiB })
  })

  test('a file without holes is data up to its end', () => {
    expect(withFd(freshFile('content'), 'r', (fd) => extentAt(fd, 3))).toEqual({ isHole: false, end: 7 })
  })

  test('where nobody knows, all is data', () => {
    expect(withFd(byteStringOf('/dev/null'), 'r', (fd) => extentAt(fd, 3))).toEqual({ isHole: false, end: END })
    expect(extentAt(-1, 0)).toEqual({ isHole: false, end: END })
  })
})
