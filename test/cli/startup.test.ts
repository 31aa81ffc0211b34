import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

const ROOT = join(import.meta.dirname, '../..')

let tmp: TemporaryDirectory
beforeEach(async () => {
  tmp = await temporaryDirectory()
})
afterEach(() => tmp[Symbol.asyncDispose]())

interface Loaded {
  readonly addons: readonly string[]
  readonly scripts: readonly string[]
  readonly threads: number
}

/** What a command loads, by paths below the project. */
function loadedBy(...argv: string[]): Loaded {
  const file = join(tmp.path, 'loaded.json')
  const env = { ...process.env, TELL_LOADED: file, CHAINKEEP_CACHE_DIR: join(tmp.path, 'cache') }
  const probe = join(ROOT, 'test/helpers/tell-loaded.cjs')
  execFileSync(process.execPath, ['--require', probe, join(ROOT, 'dist/cli/bin.js'), ...argv], { env, cwd: tmp.path })
  const { addons, scripts, threads } = JSON.parse(readFileSync(file, 'utf8')) as Loaded
  const own = (path: string): string => relative(ROOT, path)
  return {
    addons: addons.map(own),
    scripts: scripts.map(own).filter((path) => path !== relative(ROOT, probe)),
    threads,
  }
}

const packagesIn = ({ addons, scripts }: Loaded): string[] =>
  [...addons, ...scripts].filter((path) => path.includes('node_modules'))

const filesIn = ({ scripts }: Loaded): string[] => scripts.filter((path) => path.startsWith('dist/'))

test('to say its version, the program loads few files of its own and no package', () => {
  const loaded = loadedBy('version')
  expect(packagesIn(loaded)).toEqual([])
  expect(filesIn(loaded).length).toBeLessThanOrEqual(6)
})

test('a backup in which nothing changed loads no addon and no package, and starts no thread', async () => {
  mkdirSync(join(tmp.path, 'source/deep'), { recursive: true })
  for (const name of ['a', 'b', 'deep/c']) writeFileSync(join(tmp.path, 'source', name), name)
  await setTimeout(50) // what has just changed may change again unseen, and is read again
  const backup = (): Loaded => loadedBy('backup', '--repo', 'repository', 'source')
  loadedBy('init', '--repo', 'repository')
  expect(packagesIn(backup()).join()).toMatch(/koffi.*level|level.*koffi/s)
  const unchanged = backup()
  expect(unchanged.addons).toEqual([])
  expect(packagesIn(unchanged)).toEqual([])
  expect(unchanged.threads).toBe(0)
  expect(filesIn(unchanged).length).toBeLessThanOrEqual(17)
  appendFileSync(join(tmp.path, 'source/a'), 'more')
  expect(packagesIn(backup()).join()).toMatch(/level/)
})
