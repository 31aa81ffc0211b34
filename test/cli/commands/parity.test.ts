import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CliResult, runCli } from '../../helpers/run-cli.ts'
import { seededBytes } from '../../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
beforeEach(async () => {
  tmp = await temporaryDirectory()
  mkdirSync(join(tmp.path, 'source'))
  writeFileSync(join(tmp.path, 'source', 'file'), seededBytes('file', 2_000_000))
})
afterEach(() => tmp[Symbol.asyncDispose]())

const run = (...argv: string[]): Promise<CliResult> => runCli(tmp.path, argv)
const dataPacks = (): string[] => {
  const folder = join(tmp.path, 'repository', 'data')
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return entries.map((entry) => join(entry.parentPath, entry.name))
}

test('a repository made with parity survives the loss of a part of a pack', async () => {
  expect(await run('init', '--parity', '10')).toMatchObject({ code: 0 })
  expect(await run('backup', 'source')).toMatchObject({ code: 0 })
  expect((await run('parity')).stdout).toMatch(/^10 % of parity is wanted\n2 of 2 packs have it: \d+ KiB\n$/)
  expect((await run('stats')).stdout).toMatch(/^Parity +\d+ KiB$/m)
  const [{ bytes }, { parity_size }] = [
    (await run('parity', '--json')).json()[0]!,
    (await run('stats', '--json')).json()[0]!,
  ]
  expect(parity_size).toBe(bytes)
  const [pack] = dataPacks()
  const sound = readFileSync(pack!)
  writeFileSync(pack!, Buffer.from(sound).fill(0, 500_000, 650_000))

  const checked = await run('check', '--read-data')
  expect(checked.code).toBe(1)
  expect(checked.stdout + checked.stderr).toContain('parity can heal it: "chainkeep repair packs" does')
  const planned = await run('repair', 'packs', '--dry-run')
  expect(planned.stdout).toMatch(/^data\/[0-9a-f]{8}: 37 blocks of it can be healed\n/)
  expect((await run('repair', 'packs', '--json')).json()).toMatchObject([
    { message_type: 'pack', lost: 0, blocks_healed: 37 },
    { message_type: 'summary', packs_repaired: 1 },
  ])
  expect(readFileSync(pack!).equals(sound)).toBe(true)
  expect(await run('check', '--read-data')).toMatchObject({ code: 0 })
  expect(await run('restore', 'latest', '--target', 'restored', '--verify')).toMatchObject({ code: 0 })
})

test('parity comes later, and goes', async () => {
  await run('init')
  await run('backup', 'source')
  expect((await run('parity')).stdout).toMatch(/^no parity is wanted\n0 of 2 packs have it: 0 B\n$/)
  expect((await run('parity', '25%')).stdout).toMatch(/^25 % of parity from now on; \d+ KiB written for 2 packs\n$/)
  expect((await run('parity', '--json')).json()).toMatchObject([{ percent: 25, packs: 2, protected_packs: 2 }])
  expect((await run('parity', '0')).stdout).toBe('no parity any more: 2 files removed\n')
  expect((await run('parity', '--json')).json()).toMatchObject([{ percent: 0, protected_packs: 0, bytes: 0 }])
})

test('what is damaged before it has parity is named', async () => {
  await run('init')
  await run('backup', 'source')
  const [pack] = dataPacks()
  writeFileSync(pack!, readFileSync(pack!).fill(0, 1000, 2000))
  const result = await run('parity', '10')
  expect(result.code).toBe(1)
  expect(result.stdout + result.stderr).toContain('is damaged, and gets no parity')
})

test.each([
  ['parity', 'ten'],
  ['parity', '101'],
  ['parity', '1.5'],
  ['init', '--parity', '-1'],
  ['init', '--parity', 'all'],
])('%s %s is wrong usage', async (...argv) => {
  expect(await run(...argv)).toMatchObject({ code: 2 })
})
