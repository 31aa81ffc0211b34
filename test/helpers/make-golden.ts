import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  type BigIntStats,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { localBackend } from '../../src/backend/local.ts'
import { createLocalFolders } from '../../src/backend/local-folders.ts'
import { backup } from '../../src/backup/archiver.ts'
import { type ByteString, byteStringOf, displayBytes, fromByteString, joinPath } from '../../src/base/bytes.ts'
import { DEFAULT_CUT_PARAMETERS, SEGMENT_BYTES } from '../../src/chunker/fastcdc.ts'
import { listAttributes, setAttribute } from '../../src/native/extended-attributes.ts'
import type { Environment } from '../../src/repository/environment.ts'
import { initRepository, openRepository } from '../../src/repository/repository.ts'
import type { Golden, GoldenEntry, GoldenSnapshot } from './golden.ts'
import { seededBytes } from './seeded-bytes.ts'

// Made fixtures/format-v1, once, and must never make it again: a golden repository is what programs of its day have left
// behind. For a new version of the format, make another, as root, since it holds a device:
//
//   node -e "import('vite').then(async ({ runnerImport }) =>
//     (await runnerImport('./test/helpers/make-golden.ts', { oxc: { target: 'es2022' } }))
//       .module.makeGolden('fixtures/format-v2'))"

const SOURCE = '/tmp/chainkeep-golden/node'
const CACHE = '/tmp/chainkeep-golden/cache'
const START_MS = 1_700_000_000_000

/** Backs up a source of every kind of entry twice into a new repository in `directory`, and writes down what it was. */
export async function makeGolden(directory: string): Promise<void> {
  const path = join(process.cwd(), directory)
  await createLocalFolders(path)
  let timeMs = START_MS
  const environment: Environment = {
    now: () => timeMs,
    host: 'node-1',
    user: 'litecoin',
    program: 'chainkeep 0.1.0',
    cacheDirectory: CACHE,
    notice: () => {},
  }
  await initRepository(localBackend(path), environment, {
    chunker: { ...DEFAULT_CUT_PARAMETERS, segmentBytes: SEGMENT_BYTES },
  })
  const snapshots: GoldenSnapshot[] = []
  for (const [i, make] of [makeSource, changeSource].entries()) {
    make()
    timeMs = START_MS + i * 3_600_000
    await using repository = await openRepository(localBackend(path), environment)
    const tags = i === 0 ? ['first', 'golden'] : ['golden']
    const kind = i === 0 ? 'full' : 'incremental'
    const { id, snapshot } = await backup(repository, { paths: [byteStringOf(SOURCE)], kind, tags })
    const { parent, failures } = snapshot
    if (failures.length > 0) throw new Error(JSON.stringify(failures))
    snapshots.push({ id: id!, time: timeMs, kind, parent, tags, paths: [SOURCE], entries: listSource() })
  }
  for (const derived of ['index', 'index-copies', 'tmp', 'locks'])
    rmSync(join(path, derived), { recursive: true, force: true })
  writeFileSync(
    join(path, 'expected.json'),
    `${JSON.stringify({ snapshots } satisfies Golden).replaceAll('},{', '},\n{')}\n`,
  )
  rmSync('/tmp/chainkeep-golden', { recursive: true })
}

const at = (...names: string[]): string => join(SOURCE, ...names)

function makeSource(): void {
  mkdirSync(at('blocks', 'index'), { recursive: true })
  mkdirSync(at('empty'))
  mkdirSync(at('many'))
  const lines = Array.from({ length: 8000 }, (_, i) => `2023-11-14T22:13:20Z UpdateTip: height=${i}\n`)
  writeFileSync(at('debug.log'), lines.join('')) // several chunks
  writeFileSync(at('blocks', 'blk00000.dat'), seededBytes('golden blocks', 20_000))
  truncateSync(at('blocks', 'blk00000.dat'), 100 * 2 ** 20) // two segments, lists of lists, nearly all of it a hole
  writeFileSync(at('empty.dat'), '')
  writeFileSync(at('wallet.dat'), 'a wallet', { mode: 0o600 })
  linkSync(at('wallet.dat'), at('wallet.bak'))
  // names of which one ends a leaf
  for (let i = 0; i < 100; i++) writeFileSync(at('many', `${i}.ldb`), String(i % 5))
  symlinkSync('blocks/blk00000.dat', at('latest'))
  symlinkSync('/nowhere/größe', at('dangling'))
  execFileSync('mkfifo', ['-m', '640', at('debug.fifo')])
  execFileSync('mknod', ['-m', '666', at('null'), 'c', '1', '3'])
  writeFileSync(fromByteString(joinPath(byteStringOf(SOURCE), 'not-utf8-\xff\xfe' as ByteString)), 'bytes')
  writeFileSync(at('größe 😀'), 'UTF-8')
  writeFileSync(at('two\nlines'), 'a name of two lines')
  writeFileSync(at('setuid'), '#!/bin/sh\n')
  execFileSync('chmod', ['4755', at('setuid')])
  execFileSync('chmod', ['1777', at('empty')])
  setAttribute(byteStringOf(at('wallet.dat')), byteStringOf('user.comment'), Buffer.from('small'))
  setAttribute(byteStringOf(at('debug.log')), byteStringOf('user.large'), seededBytes('attribute', 1500))
  utimesSync(at('wallet.dat'), 1_600_000_000.123_456, 1_600_000_000.123_456)
  execFileSync('touch', ['-d', '1969-12-31T23:43:20.75Z', at('empty.dat')])
  utimesSync(at('setuid'), 5_000_000_000, 5_000_000_000) // beyond 32 bits
  lutimesSync(at('latest'), 1_500_000_000, 1_500_000_000)
  utimesSync(at('blocks'), 1_500_000_001, 1_500_000_001)
}

function changeSource(): void {
  writeFileSync(at('debug.log'), 'restarted\n', { flag: 'a' })
  writeFileSync(at('blocks', 'blk00001.dat'), seededBytes('golden blocks, too', 5000))
  rmSync(at('latest'))
  symlinkSync('blocks/blk00001.dat', at('latest'))
  rmSync(at('many', '99.ldb'))
}

/** What node:fs says of the source. */
function listSource(): GoldenEntry[] {
  const entries: GoldenEntry[] = []
  const seen = new Map<bigint, string>()
  const visit = (directory: ByteString, above: ByteString): void => {
    const names = readdirSync(fromByteString(directory), { encoding: 'buffer' }).map((name) => name.toString('latin1'))
    for (const name of names.sort() as ByteString[]) {
      const path = joinPath(directory, name)
      const below = (above === '' ? name : `${above}/${name}`) as ByteString
      const stats = lstatSync(fromByteString(path), { bigint: true })
      entries.push(describeEntry(path, displayBytes(below), stats, seen))
      if (stats.isDirectory()) visit(path, below)
    }
  }
  visit(byteStringOf(SOURCE), '' as ByteString)
  return entries
}

function describeEntry(path: ByteString, shown: string, stats: BigIntStats, seen: Map<bigint, string>): GoldenEntry {
  const file = fromByteString(path)
  const attributes = listAttributes(path)?.map(({ name, value }) => [name, Buffer.from(value).toString('hex')] as const)
  const sameAs = stats.nlink > 1n && stats.isFile() ? seen.get(stats.ino) : undefined
  seen.set(stats.ino, sameAs ?? shown)
  return {
    path: shown,
    type: typeOf(stats),
    mode: (Number(stats.mode) & 0o7777).toString(8),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: String(stats.mtimeNs),
    size: stats.isFile() ? Number(stats.size) : undefined,
    sha3: stats.isFile() ? createHash('sha3-256').update(readFileSync(file)).digest('hex') : undefined,
    target: stats.isSymbolicLink() ? displayBytes(byteStringOf(readlinkSync(file))) : undefined,
    device: stats.isCharacterDevice() ? [1, 3] : undefined,
    sameAs,
    attributes: attributes && attributes.length > 0 ? attributes : undefined,
  }
}

function typeOf(stats: BigIntStats): string {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'directory'
  if (stats.isSymbolicLink()) return 'symlink'
  return stats.isFIFO() ? 'fifo' : 'char-device'
}
