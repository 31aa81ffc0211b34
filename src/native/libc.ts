import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { getSystemErrorMap, getSystemErrorName } from 'node:util'
import type * as Koffi from 'koffi'
import { type ByteString, displayBytes, fromByteString } from '../base/bytes.ts'

/**
 * The C functions that node:fs has no name for, on 64-bit Linux (glibc, musl) and macOS (from its headers; the tests run
 * on Linux). Those that set errno answer it negated, as system calls do: below 0 means failed. Buffers are borrowed for
 * the call, paths end with NUL (`cString`), and types have the widths of 64-bit systems.
 */
export interface Libc {
  /** `times`: seconds and nanoseconds of access, then of modification. */
  readonly utimensat: (directory: number, path: Buffer, times: BigInt64Array, flags: number) => number
  readonly mkfifo: (path: Buffer, mode: number) => number
  readonly mknod: (path: Buffer, mode: number, device: bigint) => number
  readonly lseek: (fd: number, offset: number, whence: number) => number
  readonly getpwuid_r: FindRecord<number>
  readonly getgrgid_r: FindRecord<number>
  readonly getpwnam_r: FindRecord<Buffer>
  readonly getgrnam_r: FindRecord<Buffer>
  /** Where `bytes` begin in memory, as the pointers in C's records count. */
  readonly addressOf: (bytes: Buffer) => bigint
  /** What macOS lacks, or has in another form. */
  readonly linux?: {
    readonly fallocate: (fd: number, mode: number, offset: number, length: number) => number
    readonly llistxattr: (path: Buffer, list: Buffer, size: number) => number
    readonly lgetxattr: (path: Buffer, name: Buffer, value: Buffer, size: number) => number
    readonly lsetxattr: (path: Buffer, name: Buffer, value: Uint8Array, size: number, flags: number) => number
    readonly lremovexattr: (path: Buffer, name: Buffer) => number
  }
}

/** Answers 0 or an errno; fills the record, whose strings lie in `buffer`, and points `result` at it if one was found. */
export type FindRecord<Key> = (
  key: Key,
  record: BigUint64Array,
  buffer: Buffer,
  size: number,
  result: BigUint64Array,
) => number

let loaded: Libc | undefined

/**
 * Binds the functions once a thread, on first use: 8 to 45 ms to load koffi, 0.5 ms to bind. `undefined` where the
 * platform has none of them. Throws what `require` throws where koffi's binary is missing: to go on without it would
 * lose attributes in silence.
 */
export function libc(): Libc | undefined {
  return (loaded ??= isSupported() ? bind() : undefined)
}

/** The functions, or an error ENOSYS as if `syscall` had failed. */
export function requireLibc(syscall: string, path?: ByteString): Libc {
  return libc() ?? notSupported(syscall, path)
}

/** Throws ENOSYS: this platform cannot. */
export function notSupported(syscall: string, path?: ByteString): never {
  throw errorLikeNodeFs('ENOSYS', 'function not implemented', -constants.errno.ENOSYS, syscall, path)
}

/** The result of a function of `Libc`, unless it is a negated errno: that is thrown as a `systemError`. */
export function checked(result: number, syscall: string, path?: ByteString): number {
  if (result < 0) throw systemError(result, syscall, path)
  return result
}

/** The error that node:fs would throw: code, (negated) errno, syscall and path. */
export function systemError(errno: number, syscall: string, path?: ByteString): Error {
  const [code, reason] = getSystemErrorMap().get(errno) ?? [getSystemErrorName(errno), 'unknown error']
  return errorLikeNodeFs(code, reason, errno, syscall, path)
}

/** For C: the bytes and a NUL. Throws RangeError if there is one within. */
export function cString(text: ByteString): Buffer {
  if (text.includes('\0')) throw new RangeError(`a NUL byte in ${displayBytes(text)}`)
  return fromByteString(`${text}\0` as ByteString)
}

// Doubles of int64_t are exact to 2^53; 32-bit systems have other layouts of everything here.
const isSupported = (): boolean =>
  ['linux', 'darwin'].includes(process.platform) &&
  ['x64', 'arm64', 'riscv64', 'loong64', 'ppc64'].includes(process.arch)

function bind(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
  const library = koffi.load(null) // the process itself, which has libc in it already
  const call = (declaration: string): ((...args: unknown[]) => number) => {
    const fn: (...args: unknown[]) => number = library.func(declaration)
    return (...args) => {
      const result = fn(...args)
      return result < 0 ? -koffi.errno() : result
    }
  }
  const find = (name: string, key: string): FindRecord<unknown> =>
    library.func(`int ${name}(${key} key, void *record, void *buffer, size_t size, void *result)`)
  return {
    utimensat: call('int utimensat(int directory, const void *path, const void *times, int flags)'),
    mkfifo: call('int mkfifo(const void *path, uint32_t mode)'),
    mknod: bindMknod(call),
    lseek: call('int64_t lseek(int fd, int64_t offset, int whence)'),
    getpwuid_r: find('getpwuid_r', 'uint32_t'),
    getgrgid_r: find('getgrgid_r', 'uint32_t'),
    getpwnam_r: find('getpwnam_r', 'const void *'),
    getgrnam_r: find('getgrnam_r', 'const void *'),
    addressOf: (bytes) => koffi.address(bytes),
    linux: process.platform === 'linux' ? bindLinux(call) : undefined,
  }
}

function bindLinux(call: (declaration: string) => (...args: unknown[]) => number): Libc['linux'] {
  return {
    fallocate: call('int fallocate(int fd, int mode, int64_t offset, int64_t length)'),
    llistxattr: call('int64_t llistxattr(const void *path, void *list, size_t size)'),
    lgetxattr: call('int64_t lgetxattr(const void *path, const void *name, void *value, size_t size)'),
    lsetxattr: call('int lsetxattr(const void *path, const void *name, const void *value, size_t size, int flags)'),
    lremovexattr: call('int lremovexattr(const void *path, const void *name)'),
  }
}

/** glibc before 2.33 (Debian 11, RHEL 8) has mknod in its headers only, over `__xmknod`, whose version is 0 on 64 bits. */
function bindMknod(call: (declaration: string) => (...args: unknown[]) => number): Libc['mknod'] {
  try {
    return call('int mknod(const void *path, uint32_t mode, uint64_t device)')
  } catch {
    const xmknod = call('int __xmknod(int version, const void *path, uint32_t mode, const void *device)')
    return (path, mode, device) => xmknod(0, path, mode, new BigUint64Array([device]))
  }
}

function errorLikeNodeFs(code: string, reason: string, errno: number, syscall: string, path?: ByteString): Error {
  const shown = path === undefined ? undefined : displayBytes(path)
  const message = `${code}: ${reason}, ${syscall}${shown === undefined ? '' : ` '${shown}'`}`
  return Object.assign(new Error(message), { errno, code, syscall, path: shown })
}
