import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

const KERNEL = join(import.meta.dirname, '../../src/native/kernel')
const BUILT = 'build/Release/kernel.node'

let tmp: TemporaryDirectory
beforeEach(async () => {
  tmp = await temporaryDirectory()
  for (const file of readdirSync(KERNEL).filter((name) => /\.(c|h|gyp|mjs)$/.test(name)))
    copyFileSync(join(KERNEL, file), join(tmp.path, file))
  mkdirSync(join(tmp.path, 'build/Release'), { recursive: true })
  writeFileSync(join(tmp.path, BUILT), 'of an earlier installation')
})
afterEach(() => tmp[Symbol.asyncDispose]())

/** Runs it as npm would, and throws if it fails. */
const build = (env: NodeJS.ProcessEnv): string =>
  execFileSync(process.execPath, [join(tmp.path, 'build.mjs')], { env, encoding: 'utf8', stdio: 'pipe' })

test.each<[string, NodeJS.ProcessEnv, string]>([
  ['without node-gyp', { PATH: '/no such folder' }, 'node-gyp ENOENT'],
  ['where node-gyp fails', { PATH: '', npm_config_node_gyp: join(KERNEL, 'no such script') }, 'a C compiler'],
  ['where it is not wanted', { CHAINKEEP_KERNEL: 'off' }, 'CHAINKEEP_KERNEL is off'],
])('%s, installing goes on with one line, and leaves no old kernel', (_, env, reason) => {
  const output = build(env)
  expect(output).toMatch(/^chainkeep: built without its native kernel \(.*\); everything works, but slower\n$/)
  expect(output).toContain(reason)
  expect(existsSync(join(tmp.path, BUILT))).toBe(false)
})

test('a kernel of an earlier installation is built anew, not only where a source is younger', () => {
  const gyp = join(tmp.path, 'gyp.cjs')
  writeFileSync(
    gyp,
    `require('fs').writeFileSync(${JSON.stringify(join(tmp.path, BUILT))}, process.argv.slice(2).join(' '))`,
  )
  expect(build({ npm_config_node_gyp: gyp })).toBe('')
  expect(readFileSync(join(tmp.path, BUILT), 'utf8')).toMatch(/^rebuild /)
})
