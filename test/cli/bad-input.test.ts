import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { markOf } from '../../src/base/processes.ts'
import { encodeConfig, type RepositoryConfig } from '../../src/format/config.ts'
import { encodeLock } from '../../src/format/lock.ts'
import { createRepository, openTestRepository } from '../helpers/repository.ts'
import { type CliOptions, type CliResult, runCli } from '../helpers/run-cli.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory

beforeEach(async () => {
  tmp = await temporaryDirectory()
  mkdirSync(join(tmp.path, 'node'))
  writeFileSync(join(tmp.path, 'node/file'), 'content')
})
afterEach(() => tmp[Symbol.asyncDispose]())

const run = (argv: readonly string[], options?: CliOptions): Promise<CliResult> => runCli(tmp.path, argv, options)
const inTmp = (path: string): string => join(tmp.path, path)

/** Only root may, and not in every container. */
function canMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'chainkeep-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', directory], { stdio: 'ignore' })
    execFileSync('umount', [directory])
    return true
  } catch {
    return false
  } finally {
    rmdirSync(directory)
  }
}

/** That the command fails with this code and this one sentence. */
async function expectFailure(argv: readonly string[], code: number, message: string | RegExp): Promise<void> {
  const result = await run(argv)
  expect(result.stderr).toMatch(/^chainkeep: [^\n]*\n$/)
  if (typeof message === 'string') expect(result.stderr).toBe(`chainkeep: ${message}\n`)
  else expect(result.stderr).toMatch(message)
  expect(result.code).toBe(code)
}

describe('the repository', () => {
  test('is not there', async () => {
    const message = `there is no repository at ${inTmp('repository')}: create one with "chainkeep init"`
    for (const argv of [['snapshots'], ['backup', 'node'], ['restore', 'latest', '-t', 'x'], ['prune']])
      await expectFailure(argv, 10, message)
    const { stderr } = await run(['snapshots', '--json'])
    expect(JSON.parse(stderr)).toEqual({ message_type: 'exit_error', code: 10, message })
  })

  test('is something else', async () => {
    mkdirSync(inTmp('repository'))
    writeFileSync(inTmp('repository/config'), '[core]\n\tbare = true\n')
    await expectFailure(['snapshots'], 10, `${inTmp('repository/config')} is not the config of a chainkeep repository`)
    await expectFailure(
      ['snapshots', '-r', 'node/file'],
      10,
      `${inTmp('node/file')} is not a folder, and so no repository`,
    )
    await expectFailure(['snapshots', '-r', 'node'], 10, /^chainkeep: there is no repository at /)
  })

  test('has a newer format, or features that are not known', async () => {
    await createRepository(tmp.path)
    await using repository = await openTestRepository(tmp.path)
    const { config } = repository
    const rewrite = (changed: object): void => {
      chmodSync(inTmp('repository/config'), 0o600)
      writeFileSync(inTmp('repository/config'), encodeConfig({ ...config, ...changed } as RepositoryConfig))
    }
    rewrite({ version: 2 })
    await expectFailure(
      ['snapshots'],
      1,
      /config: the repository has format version 2; this chainkeep knows 1: use a newer one/,
    )
    rewrite({ readFeatures: ['encrypted'] })
    await expectFailure(['snapshots'], 1, /config: to read this repository takes the feature "encrypted", which this/)
    rewrite({ writeFeatures: ['parity'] })
    expect((await run(['snapshots'])).code).toBe(0)
    await expectFailure(['backup', 'node'], 1, /config: to write to this repository takes the feature "parity", which/)
  })

  test('is damaged', async () => {
    await createRepository(tmp.path)
    const bytes = readFileSync(inTmp('repository/config'))
    bytes[20]! ^= 1
    chmodSync(inTmp('repository/config'), 0o600)
    writeFileSync(inTmp('repository/config'), bytes)
    await expectFailure(
      ['snapshots'],
      1,
      /config is damaged: its checksum does not fit; copy it back from another copy of the repository\n$/,
    )
  })

  test('is there already, or its place is taken', async () => {
    await run(['init'])
    await expectFailure(['init'], 1, `${inTmp('repository')} already holds a repository`)
    await expectFailure(
      ['init', '-r', 'node'],
      1,
      `cannot create a repository in ${inTmp('node')}: the folder is not empty`,
    )
    await expectFailure(
      ['init', '-r', 'x/y'],
      1,
      `cannot create a repository in ${inTmp('x/y')}: there is no ${inTmp('x')}; make that folder first, or correct the path`,
    )
    expect(readdirSync(tmp.path)).not.toContain('x')
    await expectFailure(['init', '-r', '/proc/x'], 1, /\/proc\/x: no such file or directory$/m)
  })

  test('is locked', async () => {
    await run(['init'])
    await using repository = await openTestRepository(tmp.path)
    await using _lock = await repository.lock('prune')
    await expectFailure(
      ['prune'],
      11,
      /^chainkeep: process \d+ on test-host is pruning the repository \(since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\); /,
    )
  })

  test('was locked by a process that is dead', async () => {
    await run(['init'])
    const lock = { ...markOf('test-host', 2 ** 22 + 1), sinceMs: Date.now(), writer: '00'.repeat(8), knows: [] }
    writeFileSync(inTmp('repository/locks/00'), encodeLock({ ...lock, mode: 'prune' }))
    const { code, stderr } = await run(['prune'])
    expect([code, stderr]).toEqual([
      0,
      `chainkeep: removed the lock that process ${lock.pid} on test-host left behind\n`,
    ])
  })
})

describe('a snapshot', () => {
  beforeEach(async () => {
    await run(['init'])
    await run(['backup', 'node'])
  })

  test('is unknown, or no id at all', async () => {
    const [name] = readdirSync(inTmp('repository/snapshots'))
    const other = createHash('sha256').update(name!).digest('hex')
    await expectFailure(['ls', other], 1, `there is no snapshot "${other}"; "chainkeep snapshots" lists them`)
    await expectFailure(['ls', 'latest~1'], 1, /there is no snapshot "latest~1": there is only 1; "chainkeep/)
    await expectFailure(['ls', 'latest~1', '--host', 'test-host'], 1, /there is no snapshot "latest~1": only 1 fits; /)
    await run(['backup', 'node'])
    await expectFailure(['ls', 'latest~99'], 1, /there is no snapshot "latest~99": there are only 2; /)
    for (const verb of ['ls', 'forget', 'stats'])
      await expectFailure([verb, 'newest'], 2, /"newest" is not a snapshot: give the first digits of its id/)
    await expectFailure(['restore', 'latest', '-t', 'x', '--host', 'other'], 1, /no snapshot fits/)
  })

  test('is not there yet', async () => {
    await run(['init', '--repo', 'other'])
    await expectFailure(['ls', 'latest', '--repo', 'other'], 1, 'there are no snapshots yet')
  })

  test('is ambiguous', async () => {
    for (let i = 0; i < 17; i++) await run(['backup', 'node', '--tag', String(i)])
    const firsts = readdirSync(inTmp('repository/snapshots')).map((name) => name[0]!)
    const twice = firsts.find((first, i) => firsts.indexOf(first) !== i)! // 18 ids, 16 digits
    const count = firsts.filter((first) => first === twice).length
    await expectFailure(['ls', twice], 2, `"${twice}" fits ${count} snapshots: give more digits`)
  })

  test('lacks the path', async () => {
    await expectFailure(['ls', 'latest:/nowhere'], 1, 'there is nothing at /nowhere in the snapshot')
    await expectFailure(['restore', 'latest:/nowhere', '-t', 'x'], 1, /\/nowhere/)
  })
})

describe('the source', () => {
  beforeEach(() => run(['init']))

  test('is missing', async () => {
    await expectFailure(['backup', 'nowhere'], 1, `there is nothing to back up at ${inTmp('nowhere')}`)
  })

  test('is missing in part: the rest is stored', async () => {
    const { code, stdout, stderr } = await run(['backup', 'node', 'nowhere'])
    expect([code, stderr]).toEqual([3, `chainkeep: ${inTmp('nowhere')}: no such file or directory\n`])
    expect(stdout).toMatch(/\n1 entry missing or torn: see above\nsnapshot [0-9a-f]{8} saved \(full\)\n$/)
    const { json } = await run(['cat', 'snapshot', 'latest', '--json'])
    expect(json()[0]).toMatchObject({ failure_count: 1, failures: [{ path: inTmp('nowhere') }] })
    expect((await run(['snapshots'])).stdout).toContain('Missing')
    const [error] = (await run(['backup', 'node', 'nowhere', '--json'])).stderr.trim().split('\n')
    expect(JSON.parse(error!)).toEqual({
      message_type: 'error',
      error: { message: 'no such file or directory' },
      during: 'archival',
      item: inTmp('nowhere'),
    })
  })

  test('contains the repository, which is left out', async () => {
    const { code, stderr } = await run(['backup', '.'])
    expect(code).toBe(0)
    expect(stderr).toContain(`chainkeep: ${inTmp('repository')} belongs to chainkeep and is left out\n`)
    const { stdout } = await run(['ls', 'latest'])
    expect(stdout).toContain(inTmp('node/file'))
    expect(stdout).not.toContain(inTmp('repository/'))
  })

  test('lies inside the repository', async () => {
    for (const path of ['repository', 'repository/snapshots'])
      await expectFailure(['backup', path], 1, /lies inside the repository .*: a repository cannot back up itself/)
  })

  test('is left empty by its own excludes', async () => {
    mkdirSync(inTmp('empty'))
    expect(await run(['backup', 'node', 'empty', '-e', 'file'])).toMatchObject({
      code: 0,
      stderr: `chainkeep: the excludes leave nothing of ${inTmp('node')}\n`,
    })
    writeFileSync(inTmp('node/other'), '')
    expect((await run(['backup', 'node', 'empty', '-e', 'file'])).stderr).toBe('')
  })

  test('is said to be left out by a file that is not there', async () => {
    await expectFailure(['backup', 'node', '--exclude-file', 'no'], 1, 'cannot read no: no such file or directory')
  })
})

describe('the target', () => {
  beforeEach(async () => {
    await run(['init'])
    await run(['backup', 'node'])
  })

  test('cannot be made', async () => {
    await expectFailure(
      ['restore', 'latest', '-t', 'node/file'],
      1,
      `cannot restore into ${inTmp('node/file')}: it is not a directory`,
    )
    await expectFailure(['restore', 'latest', '-t', 'node/file/x'], 1, /node\/file\/x/)
    await expectFailure(['restore', 'latest', '-t', '/sys/chainkeep'], 1, /\/sys\/chainkeep/)
  })

  test.skipIf(!canMount())('is on a disk that is full', async () => {
    writeFileSync(inTmp('node/large'), seededBytes('large', 3_000_000))
    await run(['backup', 'node'])
    mkdirSync(inTmp('small'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', inTmp('small')])
    try {
      await expectFailure(
        ['restore', 'latest', '-t', 'small/x'],
        1,
        /^chainkeep: the disk of .*small\/x is full: free up to \d MiB and run the same command again/,
      )
      await expectFailure(
        ['backup', '-q', '--init', '-r', 'small/repository', 'node'],
        1,
        /no space left on the device/,
      )
    } finally {
      execFileSync('umount', [inTmp('small')])
    }
  })

  test('is inside the repository', async () => {
    await expectFailure(['restore', 'latest', '-t', 'repository/x'], 1, /is inside the repository/)
  })
})

test('a cache folder that cannot be: nothing is remembered, and the rest works', async () => {
  await run(['init'])
  for (const cache of ['node/file', 'node/file/below']) {
    const { code, stderr } = await run(['backup', 'node', '--cache-dir', cache])
    expect(code).toBe(0)
    expect(stderr).toContain('chainkeep: cannot remember the files for the next backup (it is not a directory)')
    expect((await run(['restore', 'latest', '-t', 'restored', '--cache-dir', cache])).code).toBe(0)
  }
})

test('interrupted: the code says so, and the next run goes on', async () => {
  await run(['init'])
  const stop = new AbortController()
  stop.abort()
  const result = await run(['backup', 'node'], { signal: stop.signal })
  expect(result).toMatchObject({ code: 130, stdout: '' })
  expect(result.stderr).toBe('chainkeep: interrupted; what is stored already will be used by the next backup\n')
  expect((await run(['snapshots', '--json'])).stdout).toBe('[]\n')
  expect((await run(['backup', 'node'])).code).toBe(0)
})
