import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CliOptions, type CliResult, redact, runCli } from '../../helpers/run-cli.ts'
import { seededBytes } from '../../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let node: string

/** Two snapshots: in the second `new` came, `gone` went, and `blocks/blk` grew. */
beforeAll(async () => {
  tmp = await temporaryDirectory()
  node = join(tmp.path, 'node')
  mkdirSync(join(node, 'blocks'), { recursive: true })
  writeFileSync(join(node, 'blocks/blk'), seededBytes('block', 1_000_000))
  writeFileSync(join(node, 'gone'), 'gone')
  symlinkSync('gone', join(node, 'link'))
  writeFileSync(Buffer.concat([Buffer.from(node), Buffer.from([0x2f, 0xff])]), '')
  await run(['init'])
  await run(['backup', 'node', '--tag', 'first,x', '--time', '2026-11-20 07:00:00'])
  rmSync(join(node, 'gone'))
  writeFileSync(join(node, 'new'), 'content')
  utimesSync(join(node, 'new'), 1_000_000_000, 1_000_000_000)
  writeFileSync(join(node, 'blocks/blk'), seededBytes('block', 1_100_000))
  await run(['backup', 'node', '--time', '2026-11-21 07:00:00'])
})
afterAll(() => tmp[Symbol.asyncDispose]())

const run = (argv: readonly string[], options?: CliOptions): Promise<CliResult> => runCli(tmp.path, argv, options)
const output = async (...argv: string[]): Promise<string> => {
  const { stdout, stderr, code } = await run(argv)
  expect([stderr, code]).toEqual(['', 0])
  return redact(stdout, tmp.path)
}

describe('snapshots', () => {
  test('is a table', async () => {
    expect(
      (await output('snapshots')).replace(/-{9,}/g, '---'),
    ).toBe(`ID        Time                 Kind         Host       Tags       Size  Paths
---
<id8>  <time>  full         test-host  first   977 KiB  /TMP/node
                                                       x
<id8>  <time>  incremental  test-host         1.05 MiB  /TMP/node
---
2 snapshots
`)
  })

  test('is narrowed by tags, host, path, number and ids', async () => {
    const count = async (...argv: string[]): Promise<number> => {
      const [list] = (await run(['snapshots', '--json', ...argv])).json() as unknown as [unknown[]]
      return list.length
    }
    expect(await count()).toBe(2)
    expect(await count('--tag', 'first,x')).toBe(1)
    expect(await count('--tag', 'first,y')).toBe(0)
    expect(await count('--tag', 'first,y', '--tag', 'x')).toBe(1)
    expect(await count('--host', 'other')).toBe(0)
    expect(await count('--path', 'node')).toBe(2)
    expect(await count('--path', 'elsewhere')).toBe(0)
    expect(await count('--latest', '1')).toBe(1)
    expect(await count('latest~1', 'latest', 'latest')).toBe(2)
  })

  test('is a table for each group', async () => {
    const text = await output('snapshots', '--group-by', 'tags')
    expect(text).toMatch(/^Snapshots of tags first, x$/m)
    expect(text).toMatch(/^ID +Time +Kind +Host +Size +Paths$/m)
    expect(await output('snapshots', '--group-by', 'host,paths')).toMatch(/^ID +Time +Kind +Tags +Size$/m)
    expect(text.match(/^1 snapshot$/gm)).toHaveLength(2)
    const [groups] = (await run(['snapshots', '-g', 'host,tags', '--json'])).json() as unknown as [unknown[]]
    expect(groups).toMatchObject([
      { group_key: { hostname: 'test-host', paths: null, tags: ['first', 'x'] }, snapshots: [{ kind: 'full' }] },
      { group_key: { hostname: 'test-host', paths: null, tags: [] }, snapshots: [{ kind: 'incremental' }] },
    ])
  })

  test('shortens paths on a terminal that is too narrow for them', async () => {
    const { stdout } = await run(['snapshots', '--no-color'], { isTerminal: true, columns: 80 })
    const [, rule, ...lines] = stdout.split('\n')
    expect(rule).toMatch(/^-{70,80}$/)
    expect(lines[0]).toMatch(/ {2}…\/node$/)
    expect((await run(['snapshots'], { isTerminal: true, columns: 200 })).stdout).toContain(`  ${node}\n`)
  })

  test('says how to see what a snapshot lacks', async () => {
    await using other = await temporaryDirectory()
    mkdirSync(join(other.path, 'node'))
    await runCli(other.path, ['init'])
    expect((await runCli(other.path, ['backup', 'node', 'gone'])).code).toBe(3)
    expect((await runCli(other.path, ['snapshots'])).stdout).toMatch(
      /\n1 snapshot\n1 lacks files that could not be read: "chainkeep cat snapshot ID" lists them\n$/,
    )
  })

  test('with none says so', async () => {
    expect(await output('snapshots', '--host', 'other')).toBe('0 snapshots\n')
  })
})

describe('ls', () => {
  test('lists everything, or what is in one directory, or below it', async () => {
    const inNode = '/TMP/node/blocks\n/TMP/node/link\n/TMP/node/new\n/TMP/node/\\xff\n'
    expect(await output('ls', `latest:${node}`)).toBe(inNode)
    const below = inNode.replace('blocks\n', 'blocks\n/TMP/node/blocks/blk\n')
    expect(await output('ls', '-R', `latest:${node}`)).toBe(below)
    const everything = await output('ls', 'latest')
    expect(everything.startsWith('/tmp\n')).toBe(true)
    expect(everything.endsWith(below)).toBe(true)
  })

  test('tells more when asked', async () => {
    const lines = (await output('ls', '--long', `latest:${node}`)).split('\n')
    expect(lines[1]).toMatch(/^lrwxrwxrwx \w+ +\w+ +<time> \/TMP\/node\/link -> gone$/)
    expect(lines[2]).toMatch(/^-rw-r--r-- \w+ +\w+ +7 <time> \/TMP\/node\/new$/)
  })

  test('gives programs what people cannot see', async () => {
    const lines = (await run(['ls', '--json', `latest:${node}`])).json()
    expect(lines[0]).toMatchObject({ message_type: 'snapshot', struct_type: 'snapshot', hostname: 'test-host' })
    expect(lines[1]).toMatchObject({ message_type: 'node', name: 'blocks', type: 'dir', permissions: 'drwxr-xr-x' })
    expect(lines[2]).toMatchObject({ type: 'symlink', linktarget: 'gone' })
    expect(lines[3]).toMatchObject({ type: 'file', size: 7, mode: 0o644, mtime: '2001-09-09T01:46:40.000000000Z' })
    expect(lines[4]).toMatchObject({ name: '\\xff', name_bytes: '/w==', path_bytes: expect.any(String) })
  })
})

test('find tells in which snapshots what is', async () => {
  expect(await output('find', 'gone', 'new')).toBe(
    '1 match in snapshot <id8> of <time>\n/TMP/node/gone\n\n1 match in snapshot <id8> of <time>\n/TMP/node/new\n',
  )
  expect(await output('find', '-s', 'latest', 'gone')).toBe('no match in 1 snapshot\n')
  expect(await output('find', 'never')).toBe('no match in 2 snapshots\n')
  const [found] = (await run(['find', '--json', 'new'])).json() as unknown as [unknown[]]
  expect(found).toMatchObject([{ hits: 1, matches: [{ path: join(node, 'new'), type: 'file' }] }])
})

describe('diff', () => {
  test('tells what changed, and sums it up', async () => {
    expect((await output('diff', 'latest~1', 'latest')).replace(/[\d.]+ KiB/g, '<size>')).toBe(
      `comparing snapshot <id8> with <id8>

M    /TMP/node/blocks/blk
-    /TMP/node/gone
+    /TMP/node/new

Files:        1 new, 1 removed, 1 changed
Directories:  0 new, 0 removed
Others:       0 new, 0 removed
Data:         <size> new, <size> removed
`,
    )
  })

  test('of metadata when asked, and of parts', async () => {
    const whole = await output('diff', '--metadata', 'latest~1', 'latest')
    expect(whole).toContain('U    /TMP/node/\n')
    const told = whole.match(/^U /gm)!.length
    expect(whole).toContain(`Directories:  0 new, 0 removed, ${told} only metadata\n`)
    const part = await output('diff', `latest~1:${node}/blocks`, `latest:${node}/blocks`)
    expect(part).toContain('M    /TMP/node/blocks/blk')
    expect(part).not.toContain('/TMP/node/new')
  })

  test('of equal snapshots leaves one line between', async () => {
    expect(await output('diff', 'latest', 'latest')).toMatch(/^comparing .*\n\nFiles: +0 new, 0 removed, 0 changed\n/)
  })

  test('for programs', async () => {
    const lines = (await run(['diff', '--json', 'latest~1', 'latest'])).json()
    expect(lines[0]).toEqual({ message_type: 'change', path: join(node, 'blocks/blk'), modifier: 'M' })
    expect(lines.at(-1)).toMatchObject({ message_type: 'statistics', changed_files: 1, added: { files: 1, dirs: 0 } })
  })
})

describe('dump', () => {
  test('writes the bytes of a file and nothing else, also with --json', async () => {
    for (const argv of [['dump', 'latest', `${node}/new`], ['dump', '--json', `latest:${node}`, 'new']]) // biome-ignore format: short
      expect(await output(...argv)).toBe('content')
  })

  test('refuses what is no file', async () => {
    expect(await run(['dump', 'latest', node])).toMatchObject({ code: 2, stdout: '' })
    expect(await run(['dump', 'latest', `${node}/gone`])).toMatchObject({
      code: 1,
      stderr: `chainkeep: there is nothing at ${node}/gone in the snapshot\n`,
    })
  })
})

describe('stats', () => {
  test('measures in people’s words', async () => {
    const text = await output('stats')
    expect(text).toMatch(/^Snapshots +2$/m)
    expect(text).toMatch(/^Logical size +2\.00 MiB in 6 files$/m)
    expect(text).toMatch(/^Unique size +1\.\d\d MiB in \d+ chunks$/m)
    expect(text).toMatch(/^Stored size +1\.\d\d MiB in 4 packs, unused objects included$/m)
    expect(text).toMatch(/^Deduplication +1\.\d\dx$/m)
    expect(text).toMatch(/^Compression +(1\.00|0\.99\d?)x$/m)
    expect(text).toMatch(/^Total +1\.\d\dx$/m)
    expect(text).toMatch(/^ID +Time +Size +Files +Only in it +Alone frees$/m)
  })

  test('and for programs', async () => {
    expect((await run(['stats', '--json', 'latest'])).json()).toMatchObject([
      {
        message_type: 'stats',
        snapshots_count: 1,
        total_size: 1_100_007,
        total_uncompressed_size: 1_100_007,
        total_file_count: 3,
        deduplication_ratio: 1,
        snapshots: [{ exclusive_size: 1_100_007 }],
      },
    ])
  })
})

describe('cat', () => {
  const cat = async (...argv: string[]): Promise<Record<string, unknown>> => {
    const { json, code, stderr } = await run(['cat', '--json', ...argv])
    expect([code, stderr]).toEqual([0, ''])
    return json()[0]!
  }

  test('prints what is stored', async () => {
    expect(await cat('config')).toMatchObject({ version: 1, chunker: { average_bytes: 65_536 } })
    expect(await cat('snapshot', 'latest~1')).toMatchObject({ tags: ['first', 'x'], kind: 'full' })
    const tree = await cat('tree', `latest:${node}`)
    expect(tree).toMatchObject({ height: 0, nodes: [{ name: 'blocks', tree: expect.any(String) }, {}, {}, {}] })
    expect(await cat('tree', String(tree.id))).toEqual(tree)
    const list = await cat('list', `latest:${node}/blocks/blk`)
    const lengths = (list.entries as { length: number }[]).map(({ length }) => length)
    expect(lengths.reduce((sum, length) => sum + length)).toBe(1_100_000)
    expect(await cat('list', String(list.id))).toEqual(list)
    expect(await cat('index')).toHaveLength(4)
  })

  test('needs to know of what', async () => {
    for (const what of ['snapshot', 'tree', 'list']) expect((await run(['cat', what])).code).toBe(2)
    expect((await run(['cat', 'list', `latest:${node}/new`])).stderr).toContain('has no list')
    expect((await run(['cat', 'tree', `latest:${node}/new`])).stderr).toContain('is not a directory')
    expect((await run(['cat', 'tree', 'f'.repeat(64)])).stderr).toContain('is in no pack')
  })
})
