import { constants } from 'node:os'
import { byteStringOf } from '../base/bytes.ts'
import { cString, type FindRecord, type Libc, libc } from './libc.ts'

const { EINTR, ERANGE } = constants.errno

/** Names of users and groups, as the system's name service knows them; `undefined` for what it does not. */
export interface Accounts {
  readonly userName: (uid: number) => string | undefined
  readonly groupName: (gid: number) => string | undefined
  readonly userId: (name: string) => number | undefined
  readonly groupId: (name: string) => number | undefined
}

/**
 * Remembers each answer, so that an account is asked for once: a name service may be a network away. Names are a help
 * beside the numbers, so a service that fails, like a platform that has none, answers `undefined`.
 */
export function createAccounts(): Accounts {
  return {
    userName: remembered((uid) => find((c) => c.getpwuid_r, uid)?.name),
    groupName: remembered((gid) => find((c) => c.getgrgid_r, gid)?.name),
    userId: remembered((name) => findByName((c) => c.getpwnam_r, name)?.id),
    groupId: remembered((name) => findByName((c) => c.getgrnam_r, name)?.id),
  }
}

function remembered<Key, Value>(look: (key: Key) => Value): (key: Key) => Value {
  const answers = new Map<Key, { value: Value }>()
  return (key) => {
    let answer = answers.get(key)
    if (!answer) answers.set(key, (answer = { value: look(key) }))
    return answer.value
  }
}

interface Account {
  readonly name: string
  readonly id: number
}

function findByName(pick: (c: Libc) => FindRecord<Buffer>, name: string): Account | undefined {
  return name.includes('\0') ? undefined : find(pick, cString(byteStringOf(name)))
}

// The strings of a record rarely need more than the first; a group of 100 000 members needs about the last.
const BUFFER_BYTES = [1024, 16_384, 262_144, 4_194_304]

/**
 * struct passwd and struct group begin alike on every 64-bit system: name (8 bytes, a pointer), password (8, a pointer),
 * id (4). The whole is at most 72 bytes.
 */
function find<Key>(pick: (c: Libc) => FindRecord<Key>, key: Key): Account | undefined {
  const c = libc()
  if (!c) return undefined
  for (const size of BUFFER_BYTES) {
    const record = new BigUint64Array(16)
    const buffer = Buffer.alloc(size)
    const result = new BigUint64Array(1)
    const errno = pick(c)(key, record, buffer, size, result)
    if (errno === ERANGE || errno === EINTR) continue
    if (errno !== 0 || result[0] === 0n) return undefined
    const start = Number(record[0]! - c.addressOf(buffer))
    return { name: buffer.toString('utf8', start, buffer.indexOf(0, start)), id: new Uint32Array(record.buffer)[4]! }
  }
  return undefined
}
