import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CliOptions, type CliResult, redact, runCli } from '../../helpers/run-cli.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory

beforeEach(async () => {
  tmp = await temporaryDirectory()
  mkdirSync(join(tmp.path, 'node/blocks'), { recursive: true })
  writeFileSync(join(tmp.path, 'node/blocks/blk'), 'block '.repeat(1000))
  writeFileSync(join(tmp.path, 'node/wallet.dat'), 'keys')
  await run(['init'])
  await run(['backup', 'node'])
})
afterEach(() => tmp[Symbol.asyncDispose]())

const run = (argv: readonly string[], options?: CliOptions): Promise<CliResult> => runCli(tmp.path, argv, options)
const node = (): string => `latest:${tmp.path}/node`
const read = (path: string): string => readFileSync(join(tmp.path, path), 'utf8')

test('everything below its full path, or a directory right into the target', async () => {
  const whole = await run(['restore', 'latest', '--target', 'out'])
  expect(whole.code).toBe(0)
  expect(read(join('out', tmp.path, 'node/wallet.dat'))).toBe('keys')
  const { stdout, stderr } = await run(['restore', node(), '-t', 'part'])
  expect(stderr).toBe('')
  expect(redact(stdout, tmp.path)).toBe(`Files    2 restored, 0 updated, 0 unchanged
Written  5.86 KiB of 5.86 KiB
Reused   0 B that the target held already
Time     <time>
snapshot <id8> is restored to part
`)
  expect(readdirSync(join(tmp.path, 'part'))).toEqual(['blocks', 'wallet.dat'])
})

test('only what differs, and deletes what is too much when asked', async () => {
  await run(['restore', node(), '-t', 'out'])
  writeFileSync(join(tmp.path, 'out/wallet.dat'), 'KEYS')
  writeFileSync(join(tmp.path, 'out/extra'), '')
  const planned = await run(['restore', node(), '-t', 'out', '--delete', '--dry-run'])
  expect(redact(planned.stdout, tmp.path)).toMatch(/^updated {4}\/TMP\/node\/wallet\.dat \(4 B\)$/m)
  expect(redact(planned.stdout, tmp.path)).toMatch(/^deleted {4}\/TMP\/out\/extra$/m)
  expect(read('out/wallet.dat')).toBe('KEYS')
  const { json } = await run(['restore', node(), '-t', 'out', '--delete', '--json', '--verify'])
  expect(json().at(-1)).toMatchObject({
    message_type: 'summary',
    total_files: 2,
    files_updated: 1,
    files_unchanged: 1,
    files_skipped: 1,
    seconds_elapsed: 0,
    files_deleted: 1,
    bytes_restored: 4,
    bytes_skipped: 6000,
    bytes_verified: 6004,
  })
  expect(read('out/wallet.dat')).toBe('keys')
})

test('holes are not written, and that is said', async () => {
  writeFileSync(join(tmp.path, 'node/zeros'), '')
  truncateSync(join(tmp.path, 'node/zeros'), 2 ** 20)
  await run(['backup', 'node'])
  const { stdout } = await run(['restore', node(), '-t', 'out', '--sparse'])
  expect(stdout).toMatch(/^Written {2}5\.86 KiB of 1\.01 MiB \(the rest are holes\)$/m)
  expect((await run(['restore', node(), '-t', 'out', '--sparse'])).stdout).not.toContain('holes')
})

test('what patterns select, and not over what is there if so wished', async () => {
  await run(['restore', node(), '-t', 'out', '--include', 'wallet.dat'])
  expect(readdirSync(join(tmp.path, 'out'))).toEqual(['wallet.dat'])
  writeFileSync(join(tmp.path, 'out/wallet.dat'), 'mine')
  const { stdout } = await run(['restore', node(), '-t', 'out', '--exclude', 'blocks', '--overwrite', 'never'])
  expect(stdout).toMatch(/^Files +0 restored, 0 updated, 0 unchanged, 1 skipped$/m)
  expect(read('out/wallet.dat')).toBe('mine')
})

test('patterns that nothing fits are a failure', async () => {
  for (const more of [[], ['--dry-run'], ['--delete']]) {
    const { code, stdout, stderr } = await run(['restore', node(), '-t', 'out', '--include', 'walet.dat', ...more])
    expect([code, stdout, stderr]).toEqual([1, '', 'chainkeep: nothing in the snapshot fits --include\n'])
  }
  expect((await run(['restore', node(), '-t', 'out', '--include', 'blocks'])).code).toBe(0)
  expect((await run(['restore', node(), '-t', 'out', '--include', 'blocks'])).code).toBe(0) // nothing left to do
})

test('what cannot be restored is named, the rest is, and the code is 1', async () => {
  const packs = join(tmp.path, 'repository/data')
  for (const folder of readdirSync(packs)) rmSync(join(packs, folder), { recursive: true })
  const { code, stdout, stderr } = await run(['restore', node(), '-t', 'out'])
  expect(code).toBe(1)
  expect(stderr).toContain(`chainkeep: ${tmp.path}/node/wallet.dat: `)
  expect(stdout).toMatch(
    /\n2 failures: see above\npart of the repository cannot be read: "chainkeep check" tells .*\n$/,
  )
  const { json } = await run(['restore', node(), '-t', 'out', '--json'])
  expect(json().at(-1)).toMatchObject({ error_count: 2, damage_count: 2 })
})

test('a repository without one of its folders restores nothing, and is told of once', async () => {
  rmSync(join(tmp.path, 'repository/data'), { recursive: true })
  for (const more of [[], ['--dry-run'], ['--include', 'wallet.dat']]) {
    const { code, stdout, stderr } = await run(['restore', 'latest', '-t', 'out', ...more])
    expect([code, stdout]).toEqual([1, ''])
    expect(redact(stderr, tmp.path)).toMatch(/^chainkeep: \/TMP\/repository\/data is missing: [^\n]*\n$/)
  }
  expect(readdirSync(tmp.path)).not.toContain('out')
})

test('what the target is to blame for says nothing against the repository', async () => {
  mkdirSync(join(tmp.path, 'out/wallet.dat/full'), { recursive: true })
  const { code, stdout, stderr } = await run(['restore', node(), '-t', 'out'])
  expect([code, stderr]).toEqual([1, expect.stringContaining('is a directory that is not empty')])
  expect(stdout).toMatch(/\n1 failure: see above\n$/)
})

test('damage on the way to what is asked for is told with what to do', async () => {
  const packs = join(tmp.path, 'repository/meta')
  for (const folder of readdirSync(packs)) rmSync(join(packs, folder), { recursive: true })
  const { code, stdout, stderr } = await run(['restore', node(), '-t', 'out'])
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^chainkeep: tree \w+ is in no pack of the repository; "chainkeep check" tells [^\n]*\n$/m)
})
