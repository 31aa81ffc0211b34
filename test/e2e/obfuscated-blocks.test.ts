import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runCli } from '../helpers/run-cli.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

const independent = new URL('../independent/restore.mjs', import.meta.url).pathname

test('block files under an XOR key shrink as plain ones do, and come back as they were', async () => {
  await using tmp = await temporaryDirectory()
  const records = seededBytes('records', 3_000_000).map((byte, i) => (i % 90 < 40 ? 0 : byte)) as Buffer
  const key = Buffer.from('2a4e35fadf83e790', 'hex')
  const blocks = records.map((byte, i) => byte ^ key[i % 8]!)
  const grown = async (folder: string, content: Uint8Array): Promise<number> => {
    const source = join(tmp.path, folder)
    mkdirSync(source)
    writeFileSync(join(source, 'blk00000.dat'), content)
    const { code, json } = await runCli(tmp.path, ['backup', source, '--init', '--json'])
    expect(code).toBe(0)
    return Number(json().at(-1)!.data_added_packed)
  }
  const plainSize = await grown('plain', records)
  const size = await grown('obfuscated', blocks)
  expect(plainSize).toBeLessThan(records.length * 0.7)
  expect(Math.abs(size - plainSize)).toBeLessThan(plainSize * 0.02)

  const restored = join(tmp.path, 'restored')
  const { code } = await runCli(tmp.path, ['restore', 'latest', '--target', restored, '--verify'])
  expect(code).toBe(0)
  expect(readFileSync(join(restored, tmp.path, 'obfuscated', 'blk00000.dat')).equals(blocks)).toBe(true)
  const second = join(tmp.path, 'restored-again')
  execFileSync(process.execPath, [independent, join(tmp.path, 'repository'), 'latest', second])
  expect(readFileSync(join(second, tmp.path, 'obfuscated', 'blk00000.dat')).equals(blocks)).toBe(true)
})
