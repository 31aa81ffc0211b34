import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

const BINARY = join(import.meta.dirname, '../../dist/cli/bin.js')

const INTERRUPTED = `chainkeep: stopping … (again: at once)
chainkeep: interrupted; what is stored already will be used by the next backup
`

let tmp: TemporaryDirectory

beforeEach(async () => {
  tmp = await temporaryDirectory()
  mkdirSync(join(tmp.path, 'node'))
  writeFileSync(join(tmp.path, 'node/file'), seededBytes('file', 8_000_000))
})
afterEach(() => tmp[Symbol.asyncDispose]())

interface Run {
  readonly child: ChildProcess
  readonly ended: Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }>
}

const start = (...argv: string[]): Run => startInto('pipe', ...argv)

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  CHAINKEEP_REPOSITORY: join(tmp.path, 'repository'),
  XDG_CACHE_HOME: join(tmp.path, 'cache'),
})

function startInto(stdout: 'pipe' | number, ...argv: string[]): Run {
  const env = environment()
  const child = spawn(process.execPath, [BINARY, ...argv], { cwd: tmp.path, env, stdio: ['pipe', stdout, 'pipe'] })
  const texts = { stdout: '', stderr: '' }
  child.stdout?.on('data', (part) => (texts.stdout += part))
  child.stderr!.on('data', (part) => (texts.stderr += part))
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...texts }))
  return { child, ended }
}

const run = (...argv: string[]): Run['ended'] => start(...argv).ended

test('the binary stores, lists, restores and checks', async () => {
  expect(await run('init')).toMatchObject({ code: 0, stderr: '' })
  expect(await run('backup', 'node')).toMatchObject({ code: 0, stderr: '' })
  expect((await run('snapshots')).stdout).toMatch(/\n1 snapshot\n$/)
  expect(await run('restore', 'latest', '-t', 'out', '--verify')).toMatchObject({ code: 0 })
  expect(await run('check', '--read-data')).toMatchObject({ code: 0 })
  expect(await run('snapshots', '--repo', 'nowhere')).toMatchObject({ code: 10, stdout: '' })
  expect(readdirSync(join(tmp.path, 'cache'))).toEqual(['chainkeep'])
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s stops a backup with code 130, and the next one works', async (name) => {
  await run('init')
  const endless = join(tmp.path, 'node/zeros')
  writeFileSync(endless, '')
  truncateSync(endless, 2 ** 40)
  const { child, ended } = start('backup', 'node')
  await untilLocked()
  await setTimeout(300)
  child.kill(name)
  expect(await ended).toEqual({ code: 130, signal: null, stdout: '', stderr: INTERRUPTED })
  expect(readdirSync(join(tmp.path, 'repository/locks'))).toEqual([])
  expect(await run('backup', 'node', '--exclude', 'zeros')).toMatchObject({ code: 0 })
  expect(await run('check', '--read-data')).toMatchObject({ code: 0 })
})

test('a backup of a pipe that says nothing can be interrupted', async () => {
  await run('init')
  const { child, ended } = start('backup', '--stdin')
  child.stdin!.write('begun')
  await untilLocked()
  await setTimeout(300)
  child.kill('SIGINT')
  expect(await ended).toMatchObject({ code: 130, stdout: '', stderr: INTERRUPTED })
})

test('a reader that has had enough ends a listing without a word', async () => {
  await run('init')
  for (let i = 0; i < 3000; i++) writeFileSync(join(tmp.path, 'node', `a file with quite a long name ${i}`), '')
  await run('backup', 'node')
  const { child, ended } = start('ls', '--long', 'latest')
  await once(child.stdout!, 'data')
  child.stdout!.destroy()
  expect(await ended).toMatchObject({ code: 141, stderr: '' })
})

test.skipIf(!existsSync('/dev/full'))('a full disk below stdout is told in a sentence', async () => {
  await run('init')
  await run('backup', 'node')
  const full = openSync('/dev/full', 'w')
  for (const line of [['snapshots'], ['dump', 'latest', join(tmp.path, 'node/file')], ['--help'], ['check']])
    expect(await startInto(full, ...line).ended).toMatchObject({
      code: 1,
      stderr:
        'chainkeep: cannot write to stdout: no space left on the device; free some space there and run it again\n',
    })
  closeSync(full)
})

test.each([
  ['a directory', '.', 'stdin is a directory: to back it up, give its path'],
  ['closed', undefined, 'nothing comes on stdin: it is closed, or /dev/null'],
  ['/dev/null', '/dev/null', 'nothing comes on stdin: it is closed, or /dev/null'],
])('stdin that is %s is refused, and no empty file stored', async (_, path, message) => {
  await run('init')
  const redirect = path === undefined ? '<&-' : `<${path}`
  const child = spawn('sh', ['-c', `exec "$0" "$@" ${redirect}`, process.execPath, BINARY, 'backup', '--stdin'], {
    cwd: tmp.path,
    env: environment(),
  })
  let stderr = ''
  child.stderr.on('data', (part) => (stderr += part))
  const [code] = await once(child, 'close')
  expect({ code, stderr }).toEqual({ code: 2, stderr: `chainkeep: ${message}\n` })
  expect(readdirSync(join(tmp.path, 'repository/snapshots'))).toEqual([])
})

test('stdin may be a file', async () => {
  await run('init')
  const file = openSync(join(tmp.path, 'node/file'), 'r')
  const child = spawn(process.execPath, [BINARY, 'backup', '--stdin'], {
    env: environment(),
    stdio: [file, 'pipe', 'pipe'],
  })
  expect(await once(child, 'close')).toEqual([0, null])
  closeSync(file)
  expect((await run('ls', '--json', 'latest')).stdout).toContain('"size":8000000')
})

async function untilLocked(): Promise<void> {
  while (readdirSync(join(tmp.path, 'repository/locks')).length === 0) await setTimeout(20)
}
