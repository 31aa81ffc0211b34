import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  closeSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { backup } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { compareTrees } from '../helpers/compare-trees.ts'
import { createRepository, openTestRepository } from '../helpers/repository.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

const SCRIPT = join(import.meta.dirname, 'restore.mjs')

let tmp: TemporaryDirectory
let source: string
let repository: string
let id: string

beforeAll(async () => {
  tmp = await temporaryDirectory()
  source = join(tmp.path, 'source')
  repository = join(tmp.path, 'repository')
  makeSource()
  await createRepository(tmp.path)
  await using opened = await openTestRepository(tmp.path)
  id = (await backup(opened, { paths: [byteStringOf(source)], threads: 2 })).id!
})
afterAll(() => tmp[Symbol.asyncDispose]())

/** What a document that is only nearly complete would get wrong. */
function makeSource(): void {
  const inSource = (name: string): string => join(source, name)
  mkdirSync(inSource('many/empty'), { recursive: true })
  // Trees of two heights, and lists of two: more than 512 names, more than 256 chunks.
  for (let i = 0; i < 600; i++) writeFileSync(inSource(`many/file ${i}`), i % 7 === 0 ? '' : `content ${i}`)
  writeFileSync(inSource('random'), seededBytes('independent', 5_000_000), { mode: 0o400 })
  writeFileSync(inSource('text'), 'a line like any other\n'.repeat(250_000))
  writeFileSync(inSource('setuid'), '#!/bin/sh\n')
  truncateSync(inSource('setuid'), 10)
  spawnSync('chmod', ['6751', inSource('setuid')])
  writeFileSync(inSource('sparse'), 'begins')
  truncateSync(inSource('sparse'), 80_000_000)
  const fd = openSync(inSource('sparse'), 'r+')
  writeSync(fd, 'in the middle', 33_333_333)
  closeSync(fd)
  linkSync(inSource('text'), inSource('many/hard link'))
  symlinkSync('text', inSource('link'))
  symlinkSync('/nowhere/at all', inSource('dangling'))
  symlinkSync('..', inSource('up'))
  spawnSync('mkfifo', [inSource('fifo')])
  const notText = Buffer.concat([Buffer.from(inSource('not ')), Buffer.from([0xff, 0xfe, 0x0a, 0x5c, 0x1b])])
  mkdirSync(notText)
  writeFileSync(Buffer.concat([notText, Buffer.from('/'), Buffer.from([0xc3])]), 'content')
  // Where there is no such command, or no such attributes, there is nothing to compare, and that is fine.
  spawnSync('setfattr', ['-n', 'user.small', '-v', '0x00ff0a', inSource('text')])
  spawnSync('setfattr', ['-n', 'user.large', '-v', `0x${'c0ffee'.repeat(700)}`, inSource('many')])
  setTimes(Buffer.from(source))
}

/** To whole seconds, which node can restore exactly; one of them lies before 1970. */
function setTimes(path: Buffer): void {
  if (lstatSync(path).isDirectory())
    for (const name of readdirSync(path, { encoding: 'buffer' }))
      setTimes(Buffer.concat([path, Buffer.from('/'), name]))
  const time = new Date(String(path).endsWith('/link') ? -1_000_000 : 1_500_000_000_000 + path.length * 1000)
  lutimesSync(path, time, time)
}

interface Outcome {
  readonly status: number | null
  readonly output: string
  readonly errors: string
}
function run(...args: string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], { encoding: 'utf8' })
  return { status, output: stdout, errors: stderr }
}

test('is short, and knows nothing of the product', () => {
  const script = readFileSync(SCRIPT, 'utf8')
  expect(script.trimEnd().split('\n').length).toBeLessThanOrEqual(250)
  const imports = [...script.matchAll(/(?:^import .* from |\b(?:import|require)\()['"`]([^'"`]*)/gm)].map(
    ([, name]) => name,
  )
  expect(imports).toHaveLength(script.match(/\bimport\b/g)!.length)
  expect(imports.filter((name) => !name?.startsWith('node:'))).toEqual(['zstd-napi/binding.js'])
})

test('restores what the product has backed up', () => {
  const target = join(tmp.path, 'all')
  expect(run(repository, 'latest', target)).toEqual({ status: 0, output: `${id}: restored\n`, errors: '' })
  expect(compareTrees(source, join(target, source), { sparse: true })).toEqual([])
})

test('restores the content of one directory', () => {
  const target = join(tmp.path, 'part')
  expect(run(repository, id.slice(0, 12), target, join(source, 'many'))).toMatchObject({ status: 0, errors: '' })
  expect(compareTrees(join(source, 'many'), target, { root: false })).toEqual([])
})

test.each([
  ['no snapshot of this name', () => [repository, 'abcdefabcdef', join(tmp.path, 'new')]],
  ['no such directory in it', () => [repository, 'latest', join(tmp.path, 'new'), '/nowhere']],
  ['no repository', () => [source, 'latest', join(tmp.path, 'new')]],
  ['a target that is there already', () => [repository, 'latest', source]],
])('refuses to start: %s', (_, args) => {
  const { status, errors } = run(...args())
  expect(status).toBe(1)
  expect(errors).toMatch(/^.+\n$/)
  expect(existsSync(join(tmp.path, 'new'))).toBe(false)
})

test('tells which file of the repository is damaged, and where, and restores the rest', () => {
  const damaged = join(tmp.path, 'damaged')
  cpSync(repository, damaged, { recursive: true })
  const [pack] = filesBelow(join(damaged, 'data')).sort((a, b) => statSync(b).size - statSync(a).size)
  flipByte(pack!, 1_000_000)
  const target = join(tmp.path, 'from damaged')
  const { status, output, errors } = run(damaged, 'latest', target)
  expect(status).toBe(1)
  expect(output).toContain('restored, but for what is said above')
  const [, offset] = /at (\d+): wrong CRC of the stored bytes\n$/.exec(errors) ?? []
  expect(errors).toContain(`${pack} at ${offset}`)
  expect(Number(offset)).toBeGreaterThan(1_000_000 - 300_000)
  expect(Number(offset)).toBeLessThan(1_000_000)
  const differences = compareTrees(source, join(target, source)).map((line) => line.split(':')[0])
  expect(new Set(differences)).toEqual(new Set(['random']))
})

test('tells which pack has a damaged trailer', () => {
  const damaged = join(tmp.path, 'damaged trailer')
  cpSync(repository, damaged, { recursive: true })
  const [pack] = filesBelow(join(damaged, 'meta'))
  const { size } = statSync(pack!)
  flipByte(pack!, size - 100)
  const { status, errors } = run(damaged, 'latest', join(tmp.path, 'from damaged trailer'))
  expect(status).toBe(1)
  expect(errors).toContain(`passing over: ${pack} at ${size - 64}: wrong hash of trailer, or name\n`)
})

const SYMLINK = [2, 3]
const DIRECTORY = [2, 2]
test.each([
  ['a name with a slash', [[entry('../escaped', [2, 1], [0x0c, 0])]]],
  ['an absolute name', [[entry('/tmp/escaped', [2, 1], [0x0c, 0])]]],
  ['a name that is ".."', [[entry('..', [2, 1], [0x0c, 0])]]],
  [
    'a directory under the name of a symbolic link',
    [
      [entry('escaped', [2, 1], [0x0c, 0])],
      [entry('x', SYMLINK, [0x13, 0x42, 0x2e, 0x2e]), (id: Buffer) => entry('x', DIRECTORY, [0x12, 0x58, 32, ...id])()],
    ],
  ],
])('lets nothing out of the target: %s', async (_, trees) => {
  await using hostile = await temporaryDirectory()
  const target = join(hostile.path, 'target')
  writeHostile(join(hostile.path, 'repository'), trees)
  const { status, errors } = run(join(hostile.path, 'repository'), 'latest', target)
  expect(status).toBe(1)
  expect(errors).toMatch(/ at \d+: (a node to be refused|names out of order, or twice): /)
  expect(readdirSync(hostile.path).sort()).toEqual(['repository', 'target'])
})

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())

function flipByte(path: string, offset: number): void {
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 0xff, offset)
  writeFileSync(path, bytes)
}

/** An entry of a directory in CBOR; what it says of trees may need the id of the one that was written before. */
type Entry = (id: Buffer) => Buffer
function entry(name: string, type: number[], last: number[]): () => Buffer {
  const common = [...type, 3, 0x19, 0x01, 0xed, 4, 5, 5, 0, 6, 0]
  return () =>
    Buffer.concat([Buffer.from([0xa7, 1, 0x40 + name.length]), Buffer.from(name), Buffer.from([...common, ...last])])
}

/** A repository that the product would not write, as FORMAT.md says: the last of the trees is the snapshot's. */
function writeHostile(path: string, trees: readonly (readonly Entry[])[]): void {
  const records: Buffer[] = []
  const entries: Buffer[] = []
  let id = Buffer.alloc(32)
  let end = 16
  for (const tree of trees) {
    const plain = Buffer.concat([Buffer.from([0x82, 0, 0x80 + tree.length]), ...tree.map((make) => make(id))])
    id = shake(plain)
    const header = Buffer.concat([id, u32(end), u32(plain.length), u32(plain.length), Buffer.from([3, 0, 0, 0])])
    entries.push(header)
    records.push(record(3, plain))
    end += 32 + plain.length
  }
  const header = Buffer.from('CKPACK\x01\x02hostile!')
  const trailer = Buffer.concat(entries)
  const packId = sha3(Buffer.concat([header, trailer]))
  const length = end + trailer.length + 64
  const footer = Buffer.concat([u32(entries.length), u32(trailer.length), u32(length), u32(0), packId, u32(0)])
  const pack = Buffer.concat([header, ...records, trailer, footer, u32(crc32(footer)), Buffer.from('CKPKEND\n')])
  const name = packId.toString('hex')
  mkdirSync(join(path, 'meta', name.slice(0, 2)), { recursive: true })
  writeFileSync(join(path, 'meta', name.slice(0, 2), name), pack)

  // {"tree": id, "version": 1} and {"version": 1, "read-features": []}
  const manifest = Buffer.concat([Buffer.from('\xa2\x64tree\x58\x20', 'latin1'), id, Buffer.from('\x67version\x01')])
  const body = Buffer.from('\xa2\x67version\x01\x6dread-features\x80', 'latin1')
  const config = Buffer.concat([Buffer.from('CKCONFIG'), u32(body.length), body])
  for (const folder of ['data', 'snapshots']) mkdirSync(join(path, folder))
  writeFileSync(join(path, 'snapshots', shake(manifest).toString('hex')), record(4, manifest))
  writeFileSync(join(path, 'config'), Buffer.concat([config, sha3(config)]))
}

function record(kind: number, plain: Buffer): Buffer {
  const lengths = [u32(plain.length), u32(plain.length), shake(plain).subarray(0, 8), u32(crc32(plain))]
  const header = Buffer.concat([Buffer.from('CKOB'), Buffer.from([kind, 0, 0, 0]), ...lengths])
  return Buffer.concat([header, u32(crc32(header)), plain])
}

const sha3 = (bytes: Buffer): Buffer => createHash('sha3-256').update(bytes).digest()
const shake = (bytes: Buffer): Buffer<ArrayBuffer> =>
  Buffer.from(createHash('shake256', { outputLength: 32 }).update(bytes).digest())
function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
