import { appendFileSync, chmodSync, existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CliOptions, type CliResult, redact, runCli } from '../../helpers/run-cli.ts'
import { seededBytes } from '../../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory

beforeEach(async () => {
  tmp = await temporaryDirectory()
  mkdirSync(join(tmp.path, 'node'))
  writeFileSync(join(tmp.path, 'node/wallet.dat'), 'x'.repeat(5000))
  writeFileSync(join(tmp.path, 'node/debug.log'), 'log')
})
afterEach(() => tmp[Symbol.asyncDispose]())

const run = (argv: readonly string[], options?: CliOptions): Promise<CliResult> => runCli(tmp.path, argv, options)

async function storedPaths(): Promise<string[]> {
  const { json } = await run(['ls', 'latest', '--json'])
  return json()
    .filter((line) => line.message_type === 'node' && line.type === 'file')
    .map((line) => String(line.path).replace(`${tmp.path}/`, ''))
}

test('ends with a summary', async () => {
  await run(['init'])
  const first = await run(['backup', 'node'])
  expect(redact(first.stdout, tmp.path).replace(/^(Added|Stored) .*/gm, '$1 …')).toMatchInlineSnapshot(`
    "Files   2 new, 0 changed, 0 unmodified
    Read    4.89 KiB of 4.89 KiB
    Added …
    Stored …
    Time    <time>
    snapshot <id8> saved (full)
    "
  `)
  expect(first).toMatchObject({ code: 0, stderr: '' })
  const unchanged = await run(['backup', 'node'])
  expect(unchanged.stdout).toMatch(/^Stored {2}0 B\n/m)
  expect(unchanged.stdout).toContain(`saved (incremental, since ${first.stdout.match(/snapshot ([0-9a-f]{8})/)![1]})\n`)
  const second = await run(['backup', 'node', '-q'])
  expect(second).toMatchObject({ code: 0, stdout: '', stderr: '' })
})

test('says what it did in JSON, with the field names of restic', async () => {
  await run(['init'])
  const { code, json } = await run(['backup', 'node', '--json', '-v'])
  expect(code).toBe(0)
  const lines = json()
  expect(lines.map((line) => line.message_type)).toEqual(['verbose_status', 'verbose_status', 'summary'])
  expect(lines[0]).toMatchObject({ action: 'new', item: join(tmp.path, 'node/debug.log'), data_size: 3 })
  expect(lines[2]).toMatchObject({
    files_new: 2,
    files_changed: 0,
    files_unmodified: 0,
    data_blobs: 2,
    total_files_processed: 2,
    total_bytes_processed: 5003,
    snapshot_id: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
})

describe('with a snapshot that is dated in the future', () => {
  const future = Date.now() + 3_600_000
  const idOf = (result: CliResult): string => result.json().at(-1)!.snapshot_id as string
  const parentOf = async (id: string): Promise<unknown> =>
    (JSON.parse((await run(['cat', 'snapshot', id])).stdout) as { parent?: string }).parent

  test('a backup takes the latest that is not, says so, and reads nothing again', async () => {
    const first = idOf(await run(['backup', 'node', '--init', '--json']))
    await run(['backup', 'node', '--time', new Date(future).toISOString()])
    const second = await run(['backup', 'node', '--json'])
    expect(await parentOf(idOf(second))).toBe(first)
    expect(second.stderr).toMatch(/is dated in the future: is the clock right\?/)
    const third = await run(['backup', 'node', '--json'])
    expect(await parentOf(idOf(third))).toBe(idOf(second))
    expect(third.json().at(-1)).toMatchObject({ files_unmodified: 2, bytes_read: 0 })
    const later = await run(['backup', 'node', '--json'], { now: () => future + 60_000 })
    expect(later.stderr).not.toContain('dated in the future')
  })

  test('latest passes over it, unless there is no other', async () => {
    await run(['backup', 'node', '--init', '--time', new Date(future).toISOString(), '--tag', 'future'])
    const only = await run(['snapshots', 'latest', '--json'])
    expect(only.json()).toMatchObject([[{ tags: ['future'] }]])
    expect(only.stderr).toMatch(/is dated in the future: .*latest.* is among them, as there is no other/)
    await run(['backup', 'node', '--tag', 'now'])
    const latest = await run(['snapshots', 'latest', '--json'])
    expect(latest.json()).toMatchObject([[{ tags: ['now'] }]])
    expect(latest.stderr).toMatch(/is dated in the future: .*latest.* passes over that/)
    expect((await run(['snapshots', '--latest', '1', '--json'])).json()).toMatchObject([[{ tags: ['now'] }]])
    expect((await run(['restore', 'latest~1', '-t', 'out'])).code).toBe(1)
  })
})

describe('files that only grow', () => {
  const grown = async (
    name: string,
    ...flags: string[]
  ): Promise<{ summary: Record<string, unknown>; text: string }> => {
    const file = join(tmp.path, 'node', name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, seededBytes('old', 5_000_000))
    await run(['init'])
    await run(['backup', 'node'])
    const [old] = (await run(['snapshots', '--json'])).json() as unknown as { id: string }[][]
    appendFileSync(file, 'new')
    const summary = (await run(['backup', 'node', '--json', ...flags])).json().at(-1)!
    const text = (await run(['backup', 'node', '--parent', old![0]!.id, ...flags])).stdout
    expect((await run(['dump', 'latest', file])).stdout.endsWith('new')).toBe(true)
    return { summary, text }
  }

  test('are read in part: those that are known', async () => {
    const { summary, text } = await grown('blocks/blk00000.dat')
    expect(summary.bytes_taken_over).toBeGreaterThan(4_500_000)
    expect(summary.bytes_read).toBeLessThan(3_000_000)
    expect(text).toMatch(/^Read .* of 4\.77 MiB \(4\.\d\d MiB taken over\)\n/m)
  })

  test('and those that are named', async () => {
    const { summary } = await grown('some/index.log', '--append-only', 'index.*')
    expect(summary.bytes_taken_over).toBeGreaterThan(4_500_000)
  })

  test.each([
    ['others', 'index.log', []],
    ['those taken out again', 'blocks/blk00000.dat', ['--append-only', '!*']],
    ['those of a full backup', 'blocks/blk00000.dat', ['--type', 'full']],
  ])('but as a whole: %s', async (_, name, flags) => {
    const { summary, text } = await grown(name, ...flags)
    expect(summary.bytes_taken_over).toBe(0)
    expect(summary.bytes_read).toBeGreaterThanOrEqual(5_000_003)
    expect(text).toContain('of 4.77 MiB\n')
  })
})

test('verbose names what is stored, twice also what is not', async () => {
  await run(['init'])
  await run(['backup', 'node'])
  writeFileSync(join(tmp.path, 'node/debug.log'), 'longer')
  writeFileSync(join(tmp.path, 'node/new'), '')
  const items = async (flag: string): Promise<string[]> =>
    (await run(['backup', 'node', '-n', flag])).stdout.split('\n').filter((line) => line.includes('/node/'))
  expect(redact((await items('-v')).join('\n'), tmp.path)).toBe(
    'changed     /TMP/node/debug.log (6 B)\nnew         /TMP/node/new (0 B)',
  )
  expect(await items('-vv')).toHaveLength(3)
})

test('a dry run tells what would be added and makes nothing', async () => {
  await run(['init'])
  const { stdout, code } = await run(['backup', 'node', '--dry-run'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^Would add +5\.\d+ KiB$/m)
  expect(stdout).toMatch(/^Would store +\d+ B \(ratio \d+\.\d+x\)$/m)
  expect(stdout).not.toContain('saved')
  expect((await run(['snapshots', '--json'])).stdout).toBe('[]\n')
})

test('init says what comes next', async () => {
  const { stdout } = await run(['init'])
  expect(redact(stdout, tmp.path)).toBe(
    'created repository <id8> at /TMP/repository\nnext: chainkeep backup --repo /TMP/repository PATH\n',
  )
  expect((await run(['init', '-r', "it's"])).stdout).toContain(`--repo '${tmp.path}/it'\\''s' PATH\n`)
})

test('makes the repository with --init, once', async () => {
  expect(await run(['backup', 'node', '--init'])).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^chainkeep: created repository [0-9a-f]{8} at .*\/repository\n$/),
  })
  expect(await run(['backup', 'node', '--init'])).toMatchObject({ code: 0, stderr: '' })
})

test('makes no repository with --init where there is nothing to put into it', async () => {
  expect(await run(['backup', 'gone', 'gone too', '--init'])).toMatchObject({
    code: 1,
    stderr: `chainkeep: there is nothing to back up at any of ${tmp.path}/gone, ${tmp.path}/gone too\n`,
  })
  expect(existsSync(join(tmp.path, 'repository'))).toBe(false)
})

describe('what is stored', () => {
  beforeEach(async () => {
    await run(['init'])
    mkdirSync(join(tmp.path, 'node/cache'))
    writeFileSync(join(tmp.path, 'node/cache/tag'), '')
    writeFileSync(join(tmp.path, 'node/cache/big'), 'b')
  })

  test('all but what patterns exclude, of the command line and of files', async () => {
    writeFileSync(join(tmp.path, 'patterns'), '# logs\n\n*.log\n')
    expect((await run(['backup', 'node', '--exclude-file', 'patterns', '-e', 'cache/big'])).code).toBe(0)
    expect(await storedPaths()).toEqual(['node/cache/tag', 'node/wallet.dat'])
  })

  test('not what is in directories that are marked', async () => {
    await run(['backup', 'node', '--exclude-if-present', 'tag'])
    expect(await storedPaths()).toEqual(['node/cache/tag', 'node/debug.log', 'node/wallet.dat'])
  })

  test('what comes on stdin, with or without a name', async () => {
    const stdin = [Buffer.from('dump '), Buffer.from('of a database')]
    expect((await run(['backup', '--stdin', '--stdin-filename', 'db/mainnet.sql'], { stdin })).code).toBe(0)
    expect((await run(['dump', 'latest', 'db/mainnet.sql'])).stdout).toBe('dump of a database')
    await run(['backup', '--stdin'], { stdin })
    expect((await run(['dump', 'latest', 'stdin'])).stdout).toBe('dump of a database')
  })
})

test('kind, tags, host and time are recorded', async () => {
  await run(['init'])
  await run(['backup', 'node', '--tag', 'b,a', '--tag', 'c', '--host', 'db1', '--time', '2026-11-21T07:00:00Z'])
  await run(['backup', 'node', '--type', 'differential', '--host', 'db1'])
  const [list] = (await run(['snapshots', '--json'])).json() as unknown as [Record<string, unknown>[]]
  expect(list).toMatchObject([
    { kind: 'full', tags: ['a', 'b', 'c'], hostname: 'db1', time: '2026-11-21T07:00:00.000Z', username: 'operator' },
    { kind: 'differential', hostname: 'db1', parent: list[0]!.id },
  ])
})

test.each([
  [['--host', ''], "option '-H, --host <name>' argument '' is invalid. It must not be empty."],
  [['--stdin-filename', 'x'], '--stdin-filename names what is read from stdin: give --stdin, too'],
  [['--time', '2026-02-31'], '"2026-02-31" is not a time: give now, or for example 2026-11-21 07:00:00'],
])('%j is refused, before a repository is made', async (options, message) => {
  const { code, stderr } = await run(['backup', '--init', 'node', ...options])
  expect({ code, stderr }).toEqual({ code: 2, stderr: `chainkeep: ${message}\n` })
  expect(existsSync(join(tmp.path, 'repository'))).toBe(false)
})

test('nothing changed: no snapshot if so wished', async () => {
  await run(['init'])
  await run(['backup', 'node'])
  const { stdout, code } = await run(['backup', 'node', '--skip-if-unchanged'])
  expect(code).toBe(0)
  expect(stdout).toContain('nothing has changed: no snapshot was made')
})

test('--parent says what changes are detected against', async () => {
  await run(['init'])
  const changed = join(tmp.path, 'node/debug.log')
  utimesSync(changed, 1, 1)
  await run(['backup', 'node'])
  writeFileSync(changed, 'changed')
  await run(['backup', 'node'])
  const { stdout } = await run(['backup', 'node', '--parent', 'latest~1'])
  expect(stdout).toMatch(/^Files +0 new, 1 changed, 1 unmodified$/m)
  expect((await run(['backup', 'node', '--parent', 'ffff'])).code).toBe(1)
})

test.skipIf(process.getuid?.() === 0)(
  'what cannot be read is named, the rest is saved, and the code is 3',
  async () => {
    await run(['init'])
    chmodSync(join(tmp.path, 'node/debug.log'), 0)
    const { code, stdout, stderr } = await run(['backup', 'node'])
    expect(code).toBe(3)
    expect(stderr).toBe(`chainkeep: ${join(tmp.path, 'node/debug.log')}: permission denied\n`)
    expect(stdout).toContain('1 entry missing or torn: see above')
    expect(stdout).toMatch(/snapshot [0-9a-f]{8} saved/)
  },
)
