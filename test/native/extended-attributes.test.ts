import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ByteString, byteStringOf, fromByteString, joinPath } from '../../src/base/bytes.ts'
import { errnoOf } from '../../src/base/errors.ts'
import { listAttributes, removeAttribute, setAttribute } from '../../src/native/extended-attributes.ts'
import { evaluateInWorker } from '../helpers/in-worker.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

const isRoot = process.getuid?.() === 0
const userName = (name: string): ByteString => `user.${name}` as ByteString
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

let tmp: TemporaryDirectory
let unsupported: string | undefined
let files = 0
beforeAll(async () => {
  tmp = await temporaryDirectory()
  const path = freshFile()
  try {
    setAttribute(path, userName('a'), bytes('x'))
  } catch (error) {
    unsupported = `no extended attributes in ${tmp.path}: ${error}`
  }
})
afterAll(async () => {
  await tmp[Symbol.asyncDispose]()
})

function freshFile(): ByteString {
  const path = joinPath(byteStringOf(tmp.path), `f\xff\xe9${files++}` as ByteString)
  writeFileSync(fromByteString(path), '')
  return path
}

/** The errno of what `call` throws. */
function errnoThrownBy(call: () => unknown): string | undefined {
  try {
    call()
  } catch (error) {
    return errnoOf(error)
  }
  return 'nothing'
}

/** Attributes that the system adds by itself (security labels) are no concern of these tests. */
const userAttributes = (path: ByteString) => listAttributes(path).filter(({ name }) => name.startsWith('user.'))

describe('extended attributes (skipped where the file system of the temporary folder has none)', () => {
  test('come back as they were set, sorted bytewise, of any bytes', (context) => {
    context.skip(unsupported !== undefined, unsupported)
    const path = freshFile()
    expect(userAttributes(path)).toEqual([])
    setAttribute(path, userName('b'), bytes('2'))
    setAttribute(path, userName('\xffz'), bytes('\0\xff\n'))
    setAttribute(path, userName('B'), bytes(''))
    setAttribute(path, userName('a'), bytes('1'))
    setAttribute(path, userName('b'), bytes('replaced'))
    expect(userAttributes(path)).toEqual([
      { name: 'user.B', value: bytes('') },
      { name: 'user.a', value: bytes('1') },
      { name: 'user.b', value: bytes('replaced') },
      { name: 'user.\xffz', value: bytes('\0\xff\n') },
    ])
  })

  test('values of any size up to what the file system takes (ext4: a block)', (context) => {
    context.skip(unsupported !== undefined, unsupported)
    const path = freshFile()
    const sizes = fc.oneof(fc.constantFrom(0, 1, 255, 256, 257, 2000), fc.nat(3000))
    fc.assert(
      fc.property(sizes, fc.nat(255), (size, fill) => {
        const value = new Uint8Array(size).fill(fill)
        setAttribute(path, userName('v'), value)
        expect(userAttributes(path)).toEqual([{ name: 'user.v', value }])
      }),
    )
  })

  test('more names than fit the usual list', (context) => {
    context.skip(unsupported !== undefined, unsupported)
    const path = freshFile()
    const names = Array.from({ length: 12 }, (_, i) => userName(String(i).padStart(200, '0')))
    for (const name of names) setAttribute(path, name, bytes('v'))
    expect(userAttributes(path).map(({ name }) => name)).toEqual(names)
  })

  test('are removed, once', (context) => {
    context.skip(unsupported !== undefined, unsupported)
    const path = freshFile()
    setAttribute(path, userName('a'), bytes('1'))
    setAttribute(path, userName('b'), bytes('2'))
    removeAttribute(path, userName('a'))
    expect(userAttributes(path)).toEqual([{ name: 'user.b', value: bytes('2') }])
    expect(errnoThrownBy(() => removeAttribute(path, userName('a')))).toBe('ENODATA')
  })

  test('of a directory', (context) => {
    context.skip(unsupported !== undefined, unsupported)
    const path = byteStringOf(join(tmp.path, 'directory'))
    mkdirSync(fromByteString(path))
    setAttribute(path, userName('a'), bytes('1'))
    expect(userAttributes(path)).toEqual([{ name: 'user.a', value: bytes('1') }])
  })

  test('links are not followed', (context) => {
    context.skip(unsupported !== undefined, unsupported)
    const file = freshFile()
    setAttribute(file, userName('a'), bytes('1'))
    const link = byteStringOf(join(tmp.path, 'link'))
    symlinkSync(fromByteString(file), fromByteString(link))
    expect(userAttributes(link)).toEqual([])
    expect(errnoThrownBy(() => setAttribute(link, userName('a'), bytes('2')))).toBe('EPERM') // Linux: links take none of user.*
    expect(errnoThrownBy(() => removeAttribute(link, userName('a')))).not.toBe('nothing')
    expect(userAttributes(file)).toEqual([{ name: 'user.a', value: bytes('1') }])
    if (!isRoot) return
    setAttribute(link, 'trusted.a' as ByteString, bytes('of the link'))
    expect(listAttributes(link)).toContainEqual({ name: 'trusted.a', value: bytes('of the link') })
    expect(listAttributes(file).map(({ name }) => name)).not.toContain('trusted.a')
  })

  test.skipIf(!isRoot)('of every namespace, as root', (context) => {
    context.skip(unsupported !== undefined, unsupported)
    const path = freshFile()
    // CAP_NET_BIND_SERVICE, permitted and effective; and rw-r--r-- with rw- for user 1234: linux/capability.h, acl(5).
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')
    const acl = Buffer.from(
      '02000000' +
        '01000600ffffffff' +
        '02000600d2040000' +
        '04000400ffffffff' +
        '10000600ffffffff' +
        '20000400ffffffff',
      'hex',
    )
    const attributes = [
      { name: 'security.capability', value: new Uint8Array(capability) },
      { name: 'system.posix_acl_access', value: new Uint8Array(acl) },
      { name: 'trusted.x', value: bytes('y') },
      { name: 'user.x', value: bytes('z') },
    ]
    for (const { name, value } of attributes) setAttribute(path, name as ByteString, value)
    expect(listAttributes(path).filter(({ name }) => name !== 'security.selinux')).toEqual(attributes)
  })

  test.skipIf(!isRoot)('of which some are refused to others than root', (context) => {
    context.skip(unsupported !== undefined, unsupported)
    const path = freshFile()
    chmodSync(tmp.path, 0o755)
    setAttribute(path, userName('secret'), bytes('1'))
    setAttribute(path, 'security.other' as ByteString, bytes('2'))
    chmodSync(fromByteString(path), 0o600)
    process.seteuid!(65534)
    try {
      expect(errnoThrownBy(() => setAttribute(path, 'trusted.a' as ByteString, bytes('1')))).toBe('EPERM')
      expect(errnoThrownBy(() => listAttributes(path))).toBe('EACCES')
      const unreadable: unknown[] = []
      const rest = listAttributes(path, (name, error) => unreadable.push(name, errnoOf(error)))
      expect(rest).toContainEqual({ name: 'security.other', value: bytes('2') })
      expect(unreadable).toEqual(['user.secret', 'EACCES'])
    } finally {
      process.seteuid!(0)
    }
  })

  test('are those that getfattr sees', (context) => {
    context.skip(unsupported !== undefined, unsupported)
    const path = join(tmp.path, 'for-getfattr')
    writeFileSync(path, '')
    setAttribute(byteStringOf(path), userName('note'), bytes('seen from outside'))
    const { stdout, error } = spawnSync('getfattr', ['--only-values', '-n', 'user.note', path], { encoding: 'utf8' })
    context.skip(error !== undefined, 'no getfattr (Debian package attr)')
    expect(stdout).toBe('seen from outside')
  })

  test('none where there can be none', (context) => {
    context.skip(process.platform !== 'linux', 'procfs is of Linux')
    expect(listAttributes(byteStringOf('/proc/self/comm')).filter(({ name }) => name.startsWith('user.'))).toEqual([])
    expect(errnoThrownBy(() => setAttribute(byteStringOf('/proc/self/comm'), userName('a'), bytes('1')))).toMatch(
      /EOPNOTSUPP|ENOTSUP|EPERM|EACCES/,
    )
  })

  test('errors name the call and the path', () => {
    const call = (): unknown => listAttributes('/no/such' as ByteString)
    expect(call).toThrow(expect.objectContaining({ code: 'ENOENT', syscall: 'llistxattr', path: '/no/such' }))
  })

  test('a NUL in a name is refused', () => {
    expect(() => setAttribute(freshFile(), userName('a\0b'), bytes('1'))).toThrow(RangeError)
  })

  test('work in a worker thread', async (context) => {
    context.skip(unsupported !== undefined, unsupported)
    const path = freshFile()
    setAttribute(path, userName('a'), bytes('1'))
    const names = `module.listAttributes(${JSON.stringify(path)}).map((attribute) => attribute.name)`
    expect(await evaluateInWorker('native/extended-attributes.js', names)).toContain('user.a')
  })
})
