import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type BackupOptions, type BackupResult, backup } from '../../src/backup/archiver.ts'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import type { ChainkeepError } from '../../src/base/errors.ts'
import type { Node } from '../../src/format/node.ts'
import { prune } from '../../src/maintain/prune.ts'
import { retag } from '../../src/maintain/retag.ts'
import { listSnapshots, REPAIRED_TAG, removeSnapshot, saveSnapshot } from '../../src/repository/snapshots.ts'
import {
  createRepository,
  openTestRepository,
  publishing,
  readContent,
  readNodes,
  testEnvironment,
} from '../helpers/repository.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let source: string

beforeEach(async () => {
  tmp = await temporaryDirectory()
  source = join(tmp.path, 'source')
  mkdirSync(source)
  await createRepository(tmp.path)
})
afterEach(() => tmp[Symbol.asyncDispose]())

interface Outcome extends BackupResult {
  /** By path below the source. */
  readonly nodes: Map<string, Node>
  readonly contents: Map<string, Buffer>
  readonly notices: readonly string[]
}

/** Backs up `source` in a session of its own; content is read at once, since the repository is closed afterwards. */
async function run(options: Partial<BackupOptions> = {}, now: () => number = Date.now): Promise<Outcome> {
  const environment = { ...testEnvironment(tmp.path), now }
  await using repository = await openTestRepository(tmp.path, environment)
  const result = await backup(repository, { paths: [byteStringOf(source)], threads: 2, ...options })
  const nodes = new Map<string, Node>()
  const contents = new Map<string, Buffer>()
  if (!options.dryRun)
    for (const [path, node] of await readNodes(repository, result.snapshot.tree)) {
      const name = path.slice(source.length + 1)
      nodes.set(name, node)
      if (node.type === 'file' && node.size < 2 ** 28) contents.set(name, await readContent(repository, node))
    }
  return { ...result, nodes, contents, notices: environment.notices }
}

const write = (name: string, content: string | Uint8Array): void => writeFileSync(join(source, name), content)
/** Longer than a tick of the kernel's coarse clock: what is written before counts as older than what comes after. */
const settle = (): Promise<void> => setTimeout(60)
const summaryOf = ({ snapshot: { summary } }: BackupResult): number[] => [
  summary.filesNew,
  summary.filesChanged,
  summary.filesUnmodified,
]
const repositoryBytes = (): number =>
  Number(
    execFileSync('du', ['-sb', '--exclude=index', join(tmp.path, 'repository')])
      .toString()
      .split('\t')[0],
  )

describe('what is captured', () => {
  test('files of every size come back byte for byte', async () => {
    const sizes = [0, 1, 100, 16_384, 65_536, 300_000, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 5_000_000, 66 * 2 ** 20]
    for (const size of sizes) write(`f${size}`, seededBytes(size, size))
    const { contents, snapshot } = await run()
    for (const size of sizes)
      expect(contents.get(`f${size}`)?.equals(seededBytes(size, size)), `${size} bytes`).toBe(true)
    expect(snapshot.summary).toMatchObject({ filesNew: sizes.length, totalBytes: sizes.reduce((a, b) => a + b) })
    expect(snapshot.summary.bytesRead).toBe(snapshot.summary.totalBytes)
  })

  test('types, link targets, modes, times and holes', async () => {
    mkdirSync(join(source, 'dir'), { mode: 0o750 })
    symlinkSync('/nowhere/\u00e9', join(source, 'link'))
    execFileSync('mkfifo', [join(source, 'pipe')])
    write('file', 'x')
    execFileSync('touch', ['-d', '2001-02-03 04:05:06.123456789Z', join(source, 'file')])
    write('sparse', '')
    truncateSync(join(source, 'sparse'), 3_000_000)
    const { nodes } = await run()
    expect(nodes.get('dir')).toMatchObject({ type: 'directory', mode: 0o750 })
    expect(nodes.get('link')).toMatchObject({ type: 'symlink', target: byteStringOf('/nowhere/\u00e9') })
    expect(nodes.get('pipe')).toMatchObject({ type: 'fifo' })
    expect(nodes.get('file')).toMatchObject({
      mtimeNs: 981_173_106_123_456_789n,
      uid: process.getuid?.(),
      user: execFileSync('id', ['-un']).toString().trim(),
    })
    expect(nodes.get('file')).not.toHaveProperty('sparse', true)
    expect(nodes.get('sparse')).toMatchObject({ sparse: true, size: 3_000_000 })
  })

  test('names that are not UTF-8, long names and many names', async () => {
    const odd = Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0xff, 0xfe, 0x0a, 0x41])])
    writeFileSync(odd, 'odd')
    write('n'.repeat(255), 'long')
    mkdirSync(join(source, 'many'))
    for (let i = 0; i < 3000; i++) write(`many/${i}`, `${i % 7}`)
    const { contents } = await run()
    expect(contents.get('\xff\xfe\nA')?.toString()).toBe('odd')
    expect(contents.get('n'.repeat(255))?.toString()).toBe('long')
    for (let i = 0; i < 3000; i++) expect(contents.get(`many/${i}`)?.toString()).toBe(`${i % 7}`)
  })

  test('hard links share a token and are read once', async () => {
    write('a', seededBytes(1, 2_000_000))
    linkSync(join(source, 'a'), join(source, 'b'))
    write('single', 'x')
    const { nodes, contents, snapshot } = await run()
    expect(nodes.get('a')?.linkGroup).toMatch(/^[0-9a-f]{16}$/)
    expect(nodes.get('b')?.linkGroup).toBe(nodes.get('a')?.linkGroup)
    expect(nodes.get('single')?.linkGroup).toBeUndefined()
    expect(contents.get('b')?.equals(seededBytes(1, 2_000_000))).toBe(true)
    expect(snapshot.summary.bytesRead).toBe(2_000_001)
  })

  test('holes are not read, and zeros are stored once', async () => {
    write('zeros', '')
    truncateSync(join(source, 'zeros'), 4 * 2 ** 30 + 123_456_789) // more than 4 GiB
    const { nodes, snapshot } = await run({}, () => Date.now() + 3600_000) // what was written just now would be read
    expect(nodes.get('zeros')).toMatchObject({ size: 4 * 2 ** 30 + 123_456_789, sparse: true })
    expect(snapshot.summary).toMatchObject({ bytesRead: 0, totalBytes: 4 * 2 ** 30 + 123_456_789 })
    expect(snapshot.summary.chunksAdded).toBeLessThan(5)
  })

  test('a small file before a huge one is not waited for while it waits to be sent', async () => {
    write('a', 'x')
    write('huge', '')
    truncateSync(join(source, 'huge'), 80 * 2 ** 30) // of more segments than are planned ahead
    const { nodes } = await run({}, () => Date.now() + 3600_000)
    expect(nodes.get('huge')).toMatchObject({ size: 80 * 2 ** 30 })
    expect(nodes.get('a')).toMatchObject({ size: 1 })
  })

  test('a socket is left out with a notice', async () => {
    const server = createServer().listen(join(source, 'socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    const { nodes, notices, snapshot } = await run()
    server.close()
    expect(nodes.has('socket')).toBe(false)
    expect(notices.join()).toContain('socket and is left out')
    expect(snapshot.failureCount).toBe(0)
  })

  test('extended attributes, small and large', async () => {
    write('small', 'x')
    write('large', 'x')
    try {
      execFileSync('setfattr', ['-n', 'user.note', '-v', 'hello', join(source, 'small')], { stdio: 'ignore' })
    } catch {
      return // no such tool, or no such file system
    }
    execFileSync('setfattr', ['-n', 'user.big', '-v', 'v'.repeat(3000), join(source, 'large')])
    const { nodes } = await run()
    expect(nodes.get('small')?.attributes).toMatchObject([{ name: 'user.note' }])
    expect(nodes.get('large')?.attributes).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('kinds', () => {
  test('an unchanged tree costs one small file, and nothing is read', async () => {
    for (let i = 0; i < 300; i++) write(`f${i}`, seededBytes(i, 5000))
    await settle()
    const first = await run()
    const before = repositoryBytes()
    const second = await run()
    expect(second.snapshot).toMatchObject({ kind: 'incremental', parent: first.id, tree: first.snapshot.tree })
    expect(second.snapshot.summary).toMatchObject({ filesUnmodified: 300, bytesRead: 0, bytesStored: 0 })
    expect(repositoryBytes() - before).toBeLessThan(2048)
  })

  test('the first snapshot is a full one, whatever was asked for', async () => {
    write('a', '1')
    expect((await run({ kind: 'differential' })).snapshot).toMatchObject({ kind: 'full', parent: undefined })
  })

  test('a differential one without a full one left is made full, and that is said', async () => {
    write('a', '1')
    const { id, notices } = await run({ kind: 'differential' })
    expect(notices).toEqual([])
    await run()
    await using repository = await openTestRepository(tmp.path)
    await removeSnapshot(repository, id!)
    const next = await run({ kind: 'differential' })
    expect(next.snapshot.kind).toBe('full')
    expect(next.notices).toContain('no full snapshot of these paths is left: this one is made full')
  })

  test('a change that keeps size and times is found by full only', async () => {
    write('a', 'old')
    utimesSync(join(source, 'a'), 1_000_000_000, 1_000_000_000)
    await settle()
    const first = await run()
    // The ctime cannot be set back, so what this machine remembers is made to fit the changed file instead.
    const { size, mtimeNs } = statSync(join(source, 'a'), { bigint: true })
    const oldCtime = statSync(join(source, 'a'), { bigint: true }).ctimeNs
    const fd = openSync(join(source, 'a'), 'r+')
    writeSync(fd, 'new', 0)
    closeSync(fd)
    utimesSync(join(source, 'a'), 1_000_000_000, 1_000_000_000)
    const changed = statSync(join(source, 'a'), { bigint: true })
    expect([changed.size, changed.mtimeNs]).toEqual([size, mtimeNs])
    forgeCtime(first.snapshot.tree, oldCtime, changed.ctimeNs)
    await settle()
    const incremental = await run()
    expect(incremental.contents.get('a')?.toString()).toBe('old')
    const differential = await run({ kind: 'differential' })
    expect(differential.snapshot.kind).toBe('differential')
    expect(differential.contents.get('a')?.toString()).toBe('old')
    const full = await run({ kind: 'full' })
    expect(full.contents.get('a')?.toString()).toBe('new')
    expect(summaryOf(full)).toEqual([0, 1, 0])
  })

  test('differential compares with the latest full one, incremental with the latest', async () => {
    write('a', '1')
    write('b', '1')
    await settle()
    const full = await run()
    write('a', '22')
    await settle()
    const incremental = await run()
    expect(incremental.snapshot.parent).toBe(full.id)
    write('b', '22')
    await settle()
    const differential = await run({ kind: 'differential' })
    expect(differential.snapshot.parent).toBe(full.id)
    expect(summaryOf(differential)).toEqual([0, 2, 0]) // a and b, since the full one
    const next = await run()
    expect(next.snapshot.parent).toBe(differential.id)
    expect(summaryOf(next)).toEqual([0, 0, 2])
  })

  test('a change that keeps size and mtime is found by its ctime', async () => {
    write('a', 'old')
    await settle()
    await run()
    const { atime, mtime } = statSync(join(source, 'a'))
    write('a', 'new')
    utimesSync(join(source, 'a'), atime, mtime)
    expect((await run()).contents.get('a')?.toString()).toBe('new')
  })

  test('without what the machine remembered, all is read again and nothing stored twice', async () => {
    write('a', seededBytes(1, 100_000))
    await settle()
    const first = await run()
    await rm(join(tmp.path, 'cache'), { recursive: true })
    const second = await run()
    expect(second.notices.join()).toContain('read again')
    expect(second.snapshot.summary).toMatchObject({ bytesRead: 100_000, chunksAdded: 0 })
    expect(second.snapshot.tree).toBe(first.snapshot.tree)
  })

  test('other tags do not make the machine forget the files', async () => {
    write('a', '1')
    await settle()
    const first = await run()
    await using repository = await openTestRepository(tmp.path)
    await retag(repository, [{ id: first.id!, snapshot: first.snapshot }], { add: ['kept'] })
    await repository.close()
    const next = await run()
    expect(summaryOf(next)).toEqual([0, 0, 1])
    expect(summaryOf(await run())).toEqual([0, 0, 1])
  })

  test('nothing is taken over from a snapshot that had to be repaired', async () => {
    const { snapshot: repaired } = await run()
    write('a', '1')
    await settle()
    const { id: original, snapshot } = await run()
    await using repository = await openTestRepository(tmp.path)
    const { tree } = repaired // as if that were left of it
    await saveSnapshot({ ...snapshot, tree, original, tags: [REPAIRED_TAG] }, publishing(repository))
    await repository.close()
    const next = await run()
    expect(next.snapshot.summary.bytesRead).toBe(1)
    expect(next.snapshot.parent).not.toBe(original)
  })

  test('what the repository has lost is stored again, though nothing in the source has changed', async () => {
    write('a', seededBytes(1, 200_000))
    write('b', seededBytes(2, 200_000))
    await settle()
    await run()
    const data = join(tmp.path, 'repository', 'data')
    for (const folder of readdirSync(data)) await rm(join(data, folder), { recursive: true })
    const healing = await run()
    expect(healing.notices.join()).toContain('has lost something')
    const { chunksAdded } = healing.snapshot.summary
    expect(chunksAdded).toBeGreaterThan(0)
    expect(healing.healed).toEqual({ lost: chunksAdded, healed: chunksAdded })
    expect(healing.contents.get('a')?.equals(seededBytes(1, 200_000))).toBe(true)
    expect(healing.contents.get('b')?.equals(seededBytes(2, 200_000))).toBe(true)
    const next = await run()
    expect(next.snapshot.summary.bytesRead).toBe(0)
    expect(next.healed).toBe(undefined)
  })

  test('of what is lost, what the source has no more stays lost', async () => {
    write('a', seededBytes(1, 10_000))
    write('b', seededBytes(2, 10_000))
    await settle()
    await run()
    const data = join(tmp.path, 'repository', 'data')
    for (const folder of readdirSync(data)) await rm(join(data, folder), { recursive: true })
    await rm(join(source, 'b'))
    expect((await run({ kind: 'full' })).healed).toEqual({ lost: 2, healed: 1 })
  })

  test('packs that a prune has replaced are no loss', async () => {
    write('a', seededBytes(1, 200_000))
    write('b', seededBytes(2, 200_000))
    await settle()
    const first = await run()
    await rm(join(source, 'b'))
    await settle()
    await run()
    await using repository = await openTestRepository(tmp.path)
    await removeSnapshot(repository, first.id!)
    const seen = join(repository.cacheDirectory, 'packs')
    const before = readFileSync(seen)
    const { packsRewritten } = await prune(repository, { policy: { maxUnused: { share: 0 } } })
    expect(packsRewritten).toBeGreaterThan(0)
    await repository.close()
    expect(readFileSync(seen)).not.toEqual(before)
    writeFileSync(seen, before) // as if another machine had pruned
    const next = await run()
    expect(next.snapshot.summary.bytesRead).toBe(0)
    expect(next.notices).toEqual([])
  })

  test('times that the format cannot hold spoil nothing', async () => {
    write('a', '1')
    for (const [name, date] of [
      ['late', '2300-01-01'],
      ['early', '1500-01-01'],
    ] as const) {
      write(name, 'x')
      execFileSync('touch', ['-d', date, join(source, name)])
    }
    const { nodes } = await run()
    expect(nodes.get('a')).toMatchObject({ size: 1 })
    for (const name of ['late', 'early'])
      expect(BigInt.asIntN(64, nodes.get(name)!.mtimeNs!)).toBe(nodes.get(name)!.mtimeNs)
  })

  test('removed, added, replaced and moved entries', async () => {
    for (const name of ['a', 'b', 'c', 'd']) write(name, name)
    mkdirSync(join(source, 'sub'))
    write('sub/x', 'x')
    await settle()
    await run()
    await rm(join(source, 'b'))
    await rm(join(source, 'sub'), { recursive: true })
    write('sub', 'now a file')
    await rm(join(source, 'c'))
    mkdirSync(join(source, 'c'))
    write('c/new', 'n')
    const { nodes, contents } = await run()
    expect([...nodes.keys()].filter((name) => name !== '').sort()).toEqual(['a', 'c', 'c/new', 'd', 'sub'])
    expect(contents.get('sub')?.toString()).toBe('now a file')
  })

  test('skipIfUnchanged makes no snapshot of an unchanged tree', async () => {
    write('a', '1')
    await settle()
    await run()
    expect(await run({ skipIfUnchanged: true })).toMatchObject({ skipped: true, id: undefined })
    write('a', '2')
    expect(await run({ skipIfUnchanged: true })).toMatchObject({ skipped: false })
    await using repository = await openTestRepository(tmp.path)
    expect(await listSnapshots(repository)).toHaveLength(2)
  })

  test('a dry run counts and stores nothing', async () => {
    write('a', seededBytes(1, 1_000_000))
    const before = repositoryBytes()
    const dry = await run({ dryRun: true })
    expect(dry.id).toBeUndefined()
    expect(dry.snapshot.summary.bytesAdded).toBeGreaterThan(1_000_000)
    expect(repositoryBytes()).toBe(before)
    expect((await run()).snapshot.summary.bytesAdded).toBe(dry.snapshot.summary.bytesAdded)
  })
})

describe('what goes wrong', () => {
  test('an unreadable file and a vanished source are named, and the rest is saved', async () => {
    write('good', '1')
    write('bad', '1')
    symlinkSync('bad', join(source, 'z')) // an entry after it
    await rm(join(source, 'bad'))
    mkdirSync(join(source, 'bad'))
    const failures: string[] = []
    const paths = [byteStringOf(source), byteStringOf(join(tmp.path, 'missing'))]
    const { nodes, snapshot } = await run({
      paths,
      onFailure: ({ path, reason }) => failures.push(`${path}: ${reason}`),
    })
    expect(failures).toEqual([`${join(tmp.path, 'missing')}: no such file or directory`])
    expect(snapshot.failureCount).toBe(1)
    expect(nodes.has('good')).toBe(true)
  })

  test.skipIf(process.getuid?.() === 0)('a file without permission is named', async () => {
    write('secret', '1')
    execFileSync('chmod', ['000', join(source, 'secret')])
    write('open', '2')
    const { snapshot, nodes } = await run()
    expect(snapshot.failures).toEqual([{ path: byteStringOf(join(source, 'secret')), reason: 'permission denied' }])
    expect(nodes.has('open')).toBe(true)
  })

  test('a file that keeps changing is read again, then stored torn, with a warning', async () => {
    write('log', seededBytes(1, 3_000_000))
    write('still', 'x')
    const timer = setInterval(() => appendFileSync(join(source, 'log'), 'more'), 0)
    try {
      // One thread and small tasks run on the main thread, where the timer's turns come between them.
      const { snapshot, nodes } = await run({ threads: 1 })
      if (snapshot.failureCount > 0) {
        expect(snapshot.failures[0]).toMatchObject({
          path: byteStringOf(join(source, 'log')),
          reason: expect.stringContaining('changed'),
        })
        expect(nodes.get('log')).toMatchObject({ torn: true })
      }
      expect(nodes.has('still')).toBe(true)
    } finally {
      clearInterval(timer)
    }
  })

  test('nothing at any path: no snapshot', async () => {
    await expect(run({ paths: [byteStringOf('/no/such/place')] })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await using repository = await openTestRepository(tmp.path)
    expect(await listSnapshots(repository)).toEqual([])
  })

  test('a source inside the repository is refused, the repository inside a source left out', async () => {
    await expect(run({ paths: [byteStringOf(join(tmp.path, 'repository', 'data'))] })).rejects.toMatchObject({
      code: 'REFUSED',
    } satisfies Partial<ChainkeepError>)
    const { nodes, notices } = await run({ paths: [byteStringOf(tmp.path)] })
    expect([...nodes.keys()].some((path) => path.includes('repository'))).toBe(false)
    expect(notices.join()).toContain('belongs to chainkeep')
  })

  test('an interrupted run leaves no snapshot, and the next uses what was stored', async () => {
    for (let i = 0; i < 40; i++) write(`f${i}`, seededBytes(i, 1_500_000))
    const controller = new AbortController()
    let items = 0
    const interrupted = run({
      signal: controller.signal,
      onItem: () => (++items === 20 ? controller.abort() : undefined),
    })
    await expect(interrupted).rejects.toMatchObject({ code: 'INTERRUPTED' })
    const next = await run()
    expect(next.snapshot.summary.filesNew).toBe(40)
    await using repository = await openTestRepository(tmp.path)
    expect(await listSnapshots(repository)).toHaveLength(1)
  })
})

describe('what is chosen', () => {
  test('excludes, markers and several sources', async () => {
    mkdirSync(join(source, 'logs'))
    write('logs/debug.log', 'x')
    write('keep', 'x')
    mkdirSync(join(source, 'cache'))
    write('cache/CACHEDIR.TAG', 'x')
    write('cache/blob', 'x')
    const { nodes } = await run({ excludes: ['*.log'], excludeIfPresent: ['CACHEDIR.TAG'] })
    expect([...nodes.keys()].filter((name) => name !== '' && !name.startsWith('/')).sort()).toEqual([
      'cache',
      'cache/CACHEDIR.TAG',
      'keep',
      'logs',
    ])
  })

  test('a source that is a link stands for what it points to', async () => {
    write('a', '1')
    symlinkSync(source, join(tmp.path, 'link'))
    const { nodes, snapshot, notices } = await run({ paths: [byteStringOf(join(tmp.path, 'link'))] })
    expect(snapshot.paths).toEqual([byteStringOf(source)])
    expect(nodes.has('a')).toBe(true)
    expect(notices.join()).toContain('symbolic link')
  })

  test('a stream becomes one file', async () => {
    const content = seededBytes('stream', 70 * 2 ** 20)
    async function* stream(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < content.length; i += 1_000_003) yield content.subarray(i, i + 1_000_003)
    }
    await using repository = await openTestRepository(tmp.path)
    const { snapshot } = await backup(repository, {
      paths: [],
      stdin: { source: stream(), filename: '/dump.sql' as ByteString },
    })
    const nodes = await readNodes(repository, snapshot.tree)
    expect((await readContent(repository, nodes.get('/dump.sql'))).equals(content)).toBe(true)
    // The same bytes in a file are the same chunks.
    await writeFile(join(source, 'copy'), content)
    expect((await backup(repository, { paths: [byteStringOf(source)] })).snapshot.summary.chunksAdded).toBe(0)
  })
})

/** Makes what is remembered of a snapshot say that a file's ctime was another. Lengths stay, so only one checksum must follow. */
function forgeCtime(tree: string, from: bigint, to: bigint): void {
  const [repository] = readdirSync(join(tmp.path, 'cache'))
  const path = join(tmp.path, 'cache', repository!, 'files', tree)
  const bytes = readFileSync(path)
  const at = bytes.indexOf(`:${from}`)
  if (at === -1) throw new Error('the ctime is not remembered')
  bytes.write(`:${to}`, at, 'latin1')
  bytes.writeUIntLE(Date.now() + 60_000, 10, 6) // nor is the file to count as changed while that backup ran
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  writeFileSync(path, bytes)
}
