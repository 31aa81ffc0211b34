import { constants as fsConstants } from 'node:fs'
import { constants } from 'node:os'
import type { ByteString } from '../base/bytes.ts'
import { checked, cString, libc, requireLibc } from './libc.ts'

// What node:fs cannot do. All calls are synchronous and throw errors like those of node:fs. On a platform without them,
// what changes something throws ENOSYS and what asks answers as for a file system that cannot.

const { EINTR, EINVAL, ENOSYS, ENXIO, EOPNOTSUPP } = constants.errno
const IS_MACOS = process.platform === 'darwin'
const AT_FDCWD = IS_MACOS ? -2 : -100
const AT_SYMLINK_NOFOLLOW = IS_MACOS ? 0x20 : 0x100
const UTIME_OMIT = IS_MACOS ? -2n : (1n << 30n) - 2n
const SEEK_DATA = IS_MACOS ? 4 : 3
const SEEK_HOLE = IS_MACOS ? 3 : 4

/**
 * Sets the modification time, in nanoseconds since 1970 (or before it), of `path` itself: a symbolic link is not
 * followed. The access time stays. File systems clamp and round in silence to what they can hold.
 */
export function setModifiedTime(path: ByteString, mtimeNs: bigint): void {
  const nanoseconds = ((mtimeNs % NS_PER_S) + NS_PER_S) % NS_PER_S // never below 0, as C wants them
  const times = new BigInt64Array([0n, UTIME_OMIT, (mtimeNs - nanoseconds) / NS_PER_S, nanoseconds])
  const { utimensat } = requireLibc('utimensat', path)
  checked(utimensat(AT_FDCWD, cString(path), times, AT_SYMLINK_NOFOLLOW), 'utimensat', path)
}

const NS_PER_S = 1_000_000_000n

/** `mode`: permission bits, of which the umask is taken, as with mkdir(2): chmod afterwards. */
export function makeFifo(path: ByteString, mode: number): void {
  checked(requireLibc('mkfifo', path).mkfifo(cString(path), mode), 'mkfifo', path)
}

/** As `makeFifo`. EPERM for anybody but root; EINVAL for numbers that the system has no room for. */
export function makeDevice(path: ByteString, type: 'char' | 'block', mode: number, major: number, minor: number): void {
  const { mknod } = requireLibc('mknod', path)
  const device = encodeDevice(BigInt(major), BigInt(minor))
  // The kernel cuts the number off at 32 bits and makes another device; glibc looks out for that, musl does not.
  if (device > 0xffffffffn) checked(-EINVAL, 'mknod', path)
  const format = type === 'char' ? fsConstants.S_IFCHR : fsConstants.S_IFBLK
  checked(mknod(cString(path), format | mode, device), 'mknod', path)
}

/** The numbers in `rdev` of lstat. */
export function deviceNumbers(rdev: bigint): { major: number; minor: number } {
  if (IS_MACOS) return { major: Number((rdev >> 24n) & 0xffn), minor: Number(rdev & 0xffffffn) }
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  }
}

/** The inverse of `deviceNumbers`: makedev(3). */
function encodeDevice(major: bigint, minor: bigint): bigint {
  if (IS_MACOS) return (major << 24n) | minor
  return ((major & 0xfffff000n) << 32n) | ((major & 0xfffn) << 8n) | ((minor & 0xffffff00n) << 12n) | (minor & 0xffn)
}

/**
 * Reserves blocks for the first `length` bytes of `fd` and makes the file at least so long; its bytes stay. False where
 * the file system (or the platform) cannot: nothing has changed then. Throws ENOSPC when the blocks are not there.
 */
export function preallocate(fd: number, length: number): boolean {
  const linux = libc()?.linux
  if (!linux) return false
  if (length === 0) return true // EINVAL in C
  let result: number
  // fallocate, since glibc's posix_fallocate would write to every block where the file system cannot.
  while ((result = linux.fallocate(fd, 0, 0, length)) === -EINTR);
  if (result === -EOPNOTSUPP || result === -ENOSYS) return false
  checked(result, 'fallocate')
  return true
}

/** A stretch of a file that is a hole, or is none. */
export interface Extent {
  readonly isHole: boolean
  /** Where it ends; Infinity for a hole that reaches to the end of the file, and where nothing is known. */
  readonly end: number
}

/**
 * The rest of the extent that byte `offset` of `fd` is in, which must lie before the file's end. All is data where the file
 * system (or the platform) does not tell. Moves the position that reads without one go by.
 */
export function extentAt(fd: number, offset: number): Extent {
  const lseek = libc()?.lseek
  if (!lseek) return { isHole: false, end: Number.POSITIVE_INFINITY }
  const data = lseek(fd, offset, SEEK_DATA)
  if (data === -ENXIO) return { isHole: true, end: Number.POSITIVE_INFINITY }
  if (data > offset) return { isHole: true, end: data }
  const hole = data === offset ? lseek(fd, offset, SEEK_HOLE) : data
  return { isHole: false, end: hole > offset ? hole : Number.POSITIVE_INFINITY }
}
