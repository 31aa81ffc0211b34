import { constants } from 'node:os'
import { type ByteString, toByteString } from '../base/bytes.ts'
import { checked, cString, type Libc, libc, notSupported, systemError } from './libc.ts'

// Extended attributes of Linux. Every attribute that the kernel lists is kept, whatever its namespace, as restic does:
// `user.*`, `security.capability`, `security.selinux`, the access lists in `system.posix_acl_*`, and for root `trusted.*`.
// On other platforms there are none to list, and ENOSYS when one is set.

const { ENODATA, ENOSYS, EOPNOTSUPP, ERANGE } = constants.errno

/** One extended attribute; the name with its namespace (`user.comment`). */
export interface Attribute {
  readonly name: ByteString
  readonly value: Uint8Array
}

/**
 * The attributes of `path` itself (a symbolic link is not followed), sorted by name, bytewise; none where the file system
 * has no such thing. One that cannot be read is left out and handed to `onUnreadable`, or thrown without it. E2BIG for
 * more names than the kernel lists. About 1 us for a file without attributes, 4 us more for each.
 */
export function listAttributes(
  path: ByteString,
  onUnreadable?: (name: ByteString, error: unknown) => void,
): Attribute[] {
  const linux = libc()?.linux
  if (!linux) return []
  const cPath = cString(path)
  const list = readWhole((buffer, size) => linux.llistxattr(cPath, buffer, size))
  if (list === -EOPNOTSUPP || list === -ENOSYS) return []
  if (typeof list === 'number') throw systemError(list, 'llistxattr', path)
  if (list.length === 0) return []
  const attributes: Attribute[] = []
  for (const name of splitNames(list)) {
    const value = readWhole((buffer, size) => linux.lgetxattr(cPath, cString(name), buffer, size))
    if (typeof value !== 'number') attributes.push({ name, value: new Uint8Array(value) })
    else if (value === -ENODATA)
      continue // removed since it was listed
    else if (!onUnreadable) throw systemError(value, 'lgetxattr', path)
    else onUnreadable(name, systemError(value, 'lgetxattr', path))
  }
  return attributes
}

/**
 * Creates or replaces an attribute of `path` itself. After chown(2), which drops `security.capability`, and before
 * chmod(2), since a file that its owner cannot write takes none. EPERM or ENOTSUP for a namespace that is not this
 * user's or not this file system's: for a restore a reason to warn, not to stop.
 */
export function setAttribute(path: ByteString, name: ByteString, value: Uint8Array): void {
  const { lsetxattr } = requireLinux('lsetxattr', path)
  checked(lsetxattr(cString(path), cString(name), value, value.length, 0), 'lsetxattr', path)
}

/** Removes an attribute of `path` itself; ENODATA if there is none of that name. */
export function removeAttribute(path: ByteString, name: ByteString): void {
  checked(requireLinux('lremovexattr', path).lremovexattr(cString(path), cString(name)), 'lremovexattr', path)
}

const requireLinux = (syscall: string, path: ByteString): NonNullable<Libc['linux']> =>
  libc()?.linux ?? notSupported(syscall, path)

// Nearly every list and value fits the first; the kernel has none longer than the second (XATTR_LIST_MAX, XATTR_SIZE_MAX),
// so that one which grows between two calls is no special case.
const USUAL_BYTES = 256
const MAX_BYTES = 65536

/** The bytes that `call` answers, which may be a view of a shared pool, or its negated errno. */
function readWhole(call: (buffer: Buffer, size: number) => number): Buffer | number {
  for (const size of [USUAL_BYTES, MAX_BYTES]) {
    const buffer = Buffer.allocUnsafe(size)
    const length = call(buffer, size)
    if (length >= 0) return buffer.subarray(0, length)
    if (length !== -ERANGE) return length
  }
  return -ERANGE
}

/** Sorted. Each name in the list ends with NUL. */
const splitNames = (list: Buffer): ByteString[] => toByteString(list).split('\0').slice(0, -1).sort() as ByteString[]
