import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { describe, expect, test } from 'vitest'
import { createAccounts } from '../../src/native/accounts.ts'
import { evaluateInWorker } from '../helpers/in-worker.ts'

/** The [name, id] pairs of /etc/passwd or /etc/group: the files that every name service begins with. */
const entriesOf = (file: string): [string, number][] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length > 3)
    .map((fields) => [fields[0]!, Number(fields[2])])

describe.skipIf(process.platform !== 'linux')('accounts', () => {
  test('knows all of /etc/passwd and /etc/group, each way', () => {
    const { userName, userId, groupName, groupId } = createAccounts()
    const passwd = entriesOf('/etc/passwd')
    const group = entriesOf('/etc/group')
    expect(passwd.length * group.length).toBeGreaterThan(0)
    for (const [name, id] of passwd) {
      expect(userId(name)).toBe(id)
      expect(userName(id)).toBe(passwd.find((entry) => entry[1] === id)![0])
    }
    for (const [name, id] of group) {
      expect(groupId(name)).toBe(id)
      expect(groupName(id)).toBe(group.find((entry) => entry[1] === id)![0])
    }
  })

  test('knows who runs this', () => {
    const { uid, username } = userInfo()
    expect(createAccounts().userName(uid)).toBe(username)
  })

  test('does not know the unknown', () => {
    const { userName, userId, groupName, groupId } = createAccounts()
    for (const id of [3_999_999_999, 2 ** 31]) expect([userName(id), groupName(id)]).toEqual([undefined, undefined])
    for (const name of ['no such one', '', 'root\0', 'ü', 'x'.repeat(5000)])
      expect([userId(name), groupId(name)]).toEqual([undefined, undefined])
  })

  test('answers again from memory, at once', () => {
    const { userName, userId } = createAccounts()
    for (const name of ['root', 'no such one']) userId(name)
    const begin = performance.now()
    for (let i = 0; i < 10_000; i++) userId(i % 2 ? 'root' : 'no such one')
    expect(performance.now() - begin).toBeLessThan(50) // 10 000 lookups in files take some 100 ms
    expect(userName(0)).toBe('root')
  })

  test('works in a worker thread', async () => {
    const names = "['root', 'no such one'].map(module.createAccounts().groupId)"
    const value = await evaluateInWorker('native/accounts.js', names)
    expect(value).toEqual([0, undefined])
  })
})
