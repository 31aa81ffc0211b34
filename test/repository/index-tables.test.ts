import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { rememberTables, verifyTable, verifyTables } from '../../src/repository/index-tables.ts'
import { flipped } from '../helpers/refusals.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let table: string
beforeEach(async () => {
  tmp = await temporaryDirectory()
  const level = new Level(tmp.path, { compression: false })
  await level.open()
  const batch = level.batch()
  for (let i = 0; i < 300; i++) batch.put(`key ${i}`, seededBytes(i, 40).toString('latin1'))
  await batch.write()
  await level.close()
  await level.open() // the log becomes a table
  await level.close()
  table = join(tmp.path, readdirSync(tmp.path).find((name) => name.endsWith('.ldb'))!)
})
afterEach(() => tmp[Symbol.asyncDispose]())

test('a table that LevelDB wrote is sound; with any byte changed, or cut off, it is not', () => {
  const bytes = readFileSync(table)
  const refused = (damaged: Uint8Array): void =>
    expect(() => verifyTable(damaged, 'table')).toThrow(
      expect.objectContaining({ code: 'CORRUPT', details: { index: true } }),
    )
  verifyTable(bytes, 'table')
  const padding = bytes.length - 48 + 2 * 8 // zeros of the footer, which LevelDB does not look at
  for (let at = 0; at < bytes.length; at += at > bytes.length - 200 ? 1 : 37)
    if (at < padding - 8 || at >= bytes.length - 8) refused(flipped(bytes, at * 8 + 3))
  for (const length of [0, 47, 48, 1000, bytes.length - 1]) refused(bytes.subarray(0, length))
  refused(Buffer.from(bytes).fill(0, 512, 1024))
})

test('tables that were there when the index was closed are believed, unless whoever had it open died', async () => {
  await verifyTables(tmp.path)
  writeFileSync(table, readFileSync(table).fill(0, 512, 1024))
  await expect(verifyTables(tmp.path)).rejects.toMatchObject({ code: 'CORRUPT' })
  for (const isOpen of [true, false]) {
    await rememberTables(tmp.path, isOpen)
    await verifyTables(tmp.path)
  }
  const file = join(tmp.path, 'verified-tables')
  const remembered = readFileSync(file, 'latin1')
  for (const head of [`open ${hostname()} ${2 ** 22 + 1}`, 'open elsewhere 1', 'nonsense', '']) {
    writeFileSync(file, remembered.replace('closed', head))
    await expect(verifyTables(tmp.path)).rejects.toMatchObject({ code: 'CORRUPT' })
  }
})

test('a table that is being written, or was when its writer was killed, is no damage', async () => {
  const bytes = readFileSync(table)
  for (const length of [0, 1000, bytes.length - 1]) {
    writeFileSync(join(tmp.path, '000099.ldb'), bytes.subarray(0, length))
    await verifyTables(tmp.path)
  }
  const level = new Level(tmp.path, { compression: false })
  await level.open()
  expect(await level.keys().all()).toHaveLength(300)
  await level.close()
})

test('a table that goes while it is looked for is no damage', async () => {
  symlinkSync('nowhere', join(tmp.path, '000098.ldb')) // listed, and not there
  await verifyTables(tmp.path)
})

test('a folder that is not there has no tables', async () => {
  await verifyTables(join(tmp.path, 'none'))
})
