import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { VERBS } from '../../src/cli/verbs.ts'
import { kernel } from '../../src/native/kernel.ts'
import { type CliResult, runCli } from '../helpers/run-cli.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory

beforeEach(async () => {
  tmp = await temporaryDirectory()
})
afterEach(() => tmp[Symbol.asyncDispose]())

const run = (...argv: string[]): Promise<CliResult> => runCli(tmp.path, argv)

describe('help', () => {
  test('of the program lists every verb, with examples, environment and exit codes', async () => {
    const { code, stdout, stderr } = await run('--help')
    expect(code).toBe(0)
    expect(stderr).toBe('')
    for (const { name, summary } of VERBS) expect(stdout).toMatch(new RegExp(`^ {2}${name} +${summary}`, 'm'))
    for (const part of ['Examples:', 'CHAINKEEP_REPOSITORY', '130  interrupted', 'latest~N'])
      expect(stdout).toContain(part)
  })

  test.each(VERBS.map(({ name }) => name))(
    'of %s has a description, and two to four examples that parse',
    async (name) => {
      const { code, stdout } = await run(name, '--help')
      expect(code).toBe(0)
      expect(stdout).toMatch(new RegExp(`^Usage: chainkeep ${name} `))
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
      const [, examples = ''] = stdout.split('\nExamples:\n')
      const lines = examples.split('\n').filter((line) => line.includes('chainkeep ') && !line.includes('#'))
      expect(lines.length).toBeGreaterThanOrEqual(2)
      expect(lines.length).toBeLessThanOrEqual(4)
      expect((await run('help', name)).stdout).toBe(stdout)
    },
  )

  test('of a verb may be asked for with what follows it', async () => {
    expect(await run('help', 'repair', 'packs')).toMatchObject({
      code: 0,
      stdout: (await run('repair', '--help')).stdout,
    })
  })

  test('is shown for nothing at all, as wrong usage', async () => {
    const { code, stdout, stderr } = await run()
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^Usage: chainkeep/)
  })
})

describe('wrong usage', () => {
  test.each([
    [['bakup', 'x'], "unknown command 'bakup' (did you mean backup?)"],
    [['snapshots', '--hots', 'x'], "unknown option '--hots' (did you mean --host?)"],
    [['--jsn', 'snapshots'], "unknown option '--jsn' (did you mean --json?)"],
    [
      ['ls'],
      '<id[:path]> is missing: the first digits of a snapshot\'s id, latest, or latest~N ("chainkeep help ls" tells more)',
    ],
    [['diff', 'latest'], '<id[:path]> is missing: the second snapshot ("chainkeep help diff" tells more)'],
    [['find'], '<pattern> is missing: such as *.ldb, '],
    [['repair'], '<what> is missing: packs, snapshots or index ("chainkeep help repair" tells more)'],
    [['cat', 'snapshot'], '<id> is missing: of what ("chainkeep help cat" tells more)'],
    [['tag', 'latest'], '--add, --remove or --set is missing: which tags to change ("chainkeep help tag" tells more)'],
    [['backup', '--type', 'ful', 'x'], 'Did you mean full?'],
    [['backup', '--type', 'everything', 'x'], 'It is one of incremental, differential, full.'],
    [['backup', '--compression', 'zstd', 'x'], 'It is auto, off, fast, better, max, or a number from -7 to 19.'],
    [['backup', '--compression', '20', 'x'], 'It is auto'],
    [['backup', '--threads', '0', 'x'], 'It is a number from 1 to 64.'],
    [['restore', 'latest', '-t', 'x', '--threads', '65'], 'It is a number from 1 to 64.'],
    [['check', '--threads', 'all'], 'It is a number from 1 to 64.'],
    [['restore', 'latest', '--overwrite', 'nevr', '-t', 'x'], 'Did you mean never?'],
    [['snapshots', '--latest', '0'], 'It is a number from 1 on.'],
    [['snapshots', '--group-by', 'host,path,tagz'], 'Did you mean tags?'],
    [['version', 'x'], 'too many arguments'],
    [['cat', 'confg'], 'did you mean config?'],
    [['backup'], '<path> is missing: what is to be backed up ("chainkeep help backup" tells more)'],
    [['backup', '--stdin', 'x'], 'with --stdin there are no paths'],
    [['backup', '--time', 'yesterday', '.'], '"yesterday" is not a time'],
    [['find', ''], 'the pattern "" is empty'],
    [['restore', 'latest'], '--target <dir> is missing: where to ("chainkeep help restore" tells more)'],
    [
      ['restore', 'latest', '--target', ''],
      '--target <dir> is missing: where to ("chainkeep help restore" tells more)',
    ],
    [['backup', ''], 'an empty path names nothing'],
    [['backup', '--stdin', '--stdin-filename', ''], 'an empty path names nothing'],
    [['backup', '.', '--exclude-file', ''], 'an empty path names nothing'],
    [['snapshots', '--repo', ''], 'an empty path names nothing'],
    [['snapshots', '--cache-dir', ''], 'an empty path names nothing'],
    [['snapshots', '--path', ''], 'an empty path names nothing'],
    [['help', 'bakup'], "unknown command 'bakup' (did you mean backup?)"],
    [['nope'], "unknown command 'nope'"],
    [['unlock'], 'there is no "unlock": locks of dead processes go by themselves'],
    [['help', 'list'], 'there is no "list": try "snapshots" or "cat"'],
    [['constructor'], "unknown command 'constructor'"],
  ])('%j ends with code 2: %s', async (argv, message) => {
    await run('init')
    const { code, stdout, stderr } = await run(...argv)
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/^chainkeep: .*\n$/)
    expect([code, stdout]).toEqual([2, ''])
  })

  test('is told as JSON to programs', async () => {
    const { code, stderr } = await run('backup', '--json', '--type', 'ful', 'x')
    expect(code).toBe(2)
    expect(JSON.parse(stderr)).toMatchObject({ message_type: 'exit_error', code: 2 })
  })
})

describe('global options', () => {
  test('stand before or after the verb', async () => {
    await run('init')
    const env = { CHAINKEEP_REPOSITORY: '' }
    const repository = `${tmp.path}/repository`
    for (const argv of [
      ['--json', '--repo', repository, 'snapshots'],
      ['snapshots', '-r', repository, '--json'],
      ['-r', repository, 'snapshots', '--json'],
    ])
      expect(await runCli(tmp.path, argv, { env })).toMatchObject({ code: 0, stdout: '[]\n' })
  })

  test('the repository must be said, and the option wins over the environment', async () => {
    expect(await runCli(tmp.path, ['snapshots'], { env: { CHAINKEEP_REPOSITORY: '' } })).toMatchObject({
      code: 2,
      stderr: `chainkeep: --repo <dir> is missing: the repository's folder, unless CHAINKEEP_REPOSITORY says it ("chainkeep help" tells more)\n`,
    })
    const { code, stderr } = await run('snapshots', '--repo', 'elsewhere')
    expect(code).toBe(10)
    expect(stderr).toContain(`${tmp.path}/elsewhere`)
  })

  test('-vv tells where an error comes from, and nothing else does', async () => {
    expect((await run('snapshots')).stderr.split('\n')).toHaveLength(2)
    expect((await run('snapshots', '-vv')).stderr).toContain('    at ')
    expect((await run('-v', 'snapshots', '-v')).stderr).toContain('    at ')
  })
})

test('the version, in two ways', async () => {
  expect((await run('version')).stdout).toMatch(
    /^chainkeep \d+\.\d+\.\d+ on Node\.js v[\d.]+, linux \w+, (kernel \w+|no kernel \(slower\))\n$/,
  )
  expect((await run('--version')).stdout).toMatch(/^chainkeep \d+\.\d+\.\d+\n$/)
  expect((await run('version', '--json')).json()[0]).toMatchObject({
    message_type: 'version',
    version: expect.any(String),
    kernel: kernel()?.path ?? null,
  })
})

test('--threads says how many are started', async () => {
  writeFileSync(join(tmp.path, 'file'), seededBytes('file', 40_000_000))
  await run('init')
  let started = 0
  const count = (): unknown => started++
  process.on('worker', count)
  for (const [threads, line] of [
    ['1', ['backup', 'file']],
    ['3', ['restore', 'latest', '-t', 'out']],
    ['2', ['check', '--read-data']],
  ] as const) {
    started = 0
    expect(await run(...line, '--threads', threads)).toMatchObject({ code: 0 })
    expect(started).toBe(Number(threads))
  }
  process.off('worker', count)
})
