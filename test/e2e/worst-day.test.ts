import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

/** What an operator may do when something is missing, and what must not come of it. Through the built program. */
const binary = new URL('../../dist/cli/bin.js', import.meta.url).pathname
let tmp: TemporaryDirectory
let source: string
let repository: string

beforeEach(async () => {
  tmp = await temporaryDirectory()
  source = join(tmp.path, 'source')
  repository = join(tmp.path, 'repository')
  mkdirSync(source)
  chainkeep('init')
})
afterEach(() => tmp[Symbol.asyncDispose]())

function chainkeep(...args: string[]): { status: number | null; stderr: string } {
  const env = { ...process.env, CHAINKEEP_REPOSITORY: repository, CHAINKEEP_CACHE_DIR: join(tmp.path, 'cache') }
  return spawnSync(process.execPath, [binary, ...args], { env, encoding: 'utf8' })
}

test('an older snapshot never passes for the latest when that cannot be read', () => {
  writeFileSync(join(source, 'a'), 'old')
  chainkeep('backup', source)
  const [first] = readdirSync(join(repository, 'snapshots'))
  writeFileSync(join(source, 'a'), 'newer')
  chainkeep('backup', source)
  const latest = readdirSync(join(repository, 'snapshots')).find((name) => name !== first)!
  const file = join(repository, 'snapshots', latest)
  writeFileSync(file, readFileSync(file).fill(0, 60, 70))
  for (const args of [
    ['restore', 'latest', '--target', join(tmp.path, 'out')],
    ['forget', 'latest'],
    ['ls', 'latest~1'],
  ]) {
    const { status, stderr } = chainkeep('-q', ...args)
    expect([status, stderr]).toEqual([1, expect.stringContaining(`since ${latest} cannot be read`)])
  }
  expect(existsSync(join(tmp.path, 'out'))).toBe(false)
  expect(chainkeep('restore', `${first!.slice(0, 8)}:${source}`, '--target', join(tmp.path, 'out')).status).toBe(0)
  expect(readFileSync(join(tmp.path, 'out', 'a'), 'utf8')).toBe('old')
})

test('prune frees nothing while the snapshots are away', () => {
  writeFileSync(join(source, 'a'), 'x'.repeat(100_000))
  chainkeep('backup', source)
  renameSync(join(repository, 'snapshots'), join(tmp.path, 'away'))
  for (const args of [['prune'], ['check'], ['snapshots'], ['backup', source]]) {
    const { status, stderr } = chainkeep(...args)
    expect([status, stderr]).toEqual([1, expect.stringContaining('snapshots is missing')])
  }
  renameSync(join(tmp.path, 'away'), join(repository, 'snapshots'))
  expect(chainkeep('check', '--read-data').status).toBe(0)
})
