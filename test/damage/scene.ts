import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ByteString } from '../../src/base/bytes.ts'
import { ID_BYTES, objectIdAt } from '../../src/base/ids.ts'
import { markOf } from '../../src/base/processes.ts'
import { encodeLock } from '../../src/format/lock.ts'
import { recordLength } from '../../src/format/object.ts'
import { walkChunks } from '../../src/repository/lists.ts'
import { readPackTrailer } from '../../src/repository/pack-trailer.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { listSnapshots } from '../../src/repository/snapshots.ts'
import { findNode, walkTree } from '../../src/repository/trees.ts'
import { openTestRepository, testEnvironment } from '../helpers/repository.ts'
import { type CliResult, runCli } from '../helpers/run-cli.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

/** An object of a pack: its name, and where its record is. */
export interface StoredObject {
  /** `chunk ab12…` */
  readonly name: string
  readonly kind: string
  readonly codec: number
  readonly start: number
  readonly end: number
}

/** One of the snapshots as it was made. */
export interface MadeSnapshot {
  readonly id: string
  /** Of every file, by its path in the snapshot. */
  readonly contents: ReadonlyMap<string, Buffer>
  /** The names of all objects without which a file cannot be had. */
  readonly needs: ReadonlyMap<string, ReadonlySet<string>>
}

/** A source, and three backups of it, in a folder that cells of the matrix copy. */
export interface Scene {
  readonly directory: string
  readonly source: string
  readonly snapshots: readonly MadeSnapshot[]
  /** By path in the folder, as `repository/data/ab/ab12…`. */
  readonly packs: ReadonlyMap<string, readonly StoredObject[]>
  /** All files of repository and cache, sorted. */
  readonly files: readonly string[]
  /** Those of another one in the folder `foreign`, by their paths in that. */
  readonly foreign: readonly string[]
  /** Percents that its packs have. */
  readonly parity: number
}

/** As block files are: compressible, and XOR-ed with a key. */
function keyedBytes(seed: string, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  const noise = seededBytes(seed, length)
  for (let i = 0; i < length; i++) bytes[i] = (i % 64 < 40 ? 0 : noise[i]!) ^ [7, 99, 200, 31, 5, 250, 77, 13][i % 8]!
  return bytes
}

const CHANGES: readonly ((write: (name: string, bytes: Uint8Array) => void, remove: (name: string) => void) => void)[] =
  [
    (write) => {
      write('shared', seededBytes('shared', 400_000))
      write('grows', seededBytes('grows', 90_000))
      write('first', seededBytes('first', 20_000))
      write('blocks', keyedBytes('blocks', 120_000))
      write('text', Buffer.from(Array.from({ length: 3000 }, (_, i) => `line ${i}\n`).join('')))
      write('letters', Buffer.from(seededBytes('letters', 10_000).toString('hex')))
      write('empty', Buffer.alloc(0))
      write('sub/inner', Buffer.from('inner'))
      write('sub/deep', seededBytes('deep', 3000))
    },
    (write, remove) => {
      write('grows', seededBytes('grows', 140_000))
      write('second', seededBytes('second', 150_000))
      remove('first')
    },
    (write) => {
      write('third', seededBytes('third', 60_000))
      write('sub/inner', Buffer.from('changed'))
      write('blocks', keyedBytes('blocks', 200_000))
    },
  ]

/** Makes the scene in `directory`. */
export async function makeScene(directory: string, parity = 0): Promise<Scene> {
  const source = join(directory, 'node')
  mkdirSync(join(source, 'sub'), { recursive: true })
  const contents = new Map<string, Buffer>()
  const states: Map<string, Buffer>[] = []
  await mustRun(directory, ['init', ...(parity > 0 ? ['--parity', `${parity}`] : [])])
  for (const change of CHANGES) {
    change(
      (name, bytes) => {
        if (name.includes('/')) mkdirSync(join(source, name, '..'), { recursive: true })
        writeFileSync(join(source, name), bytes)
        contents.set(join(source, name), Buffer.from(bytes))
      },
      (name) => {
        rmSync(join(source, name))
        contents.delete(join(source, name))
      },
    )
    states.push(new Map(contents))
    await mustRun(directory, ['backup', 'node'])
  }
  const foreign = join(directory, 'foreign')
  mkdirSync(foreign)
  for (const argv of [['init'], ['backup', source], ['stats']]) await mustRun(foreign, argv)
  const lock = encodeLock({
    mode: 'write',
    ...markOf('test-host', NO_PID),
    sinceMs: Date.now(),
    writer: '00'.repeat(8),
    knows: [],
  })
  writeFileSync(join(directory, 'repository/locks', 'ab'.repeat(16)), lock)
  await using repository = await openTestRepository(directory)
  const stored = await listSnapshots(repository)
  const snapshots: MadeSnapshot[] = []
  for (const [i, { id, snapshot }] of stored.entries())
    snapshots.push({ id, contents: states[i]!, needs: await findNeeds(repository, snapshot.tree, states[i]!.keys()) })
  const packs = new Map<string, StoredObject[]>()
  for (const { id, packClass } of (await repository.index()).packs()) {
    const entries = await readPackTrailer(repository.backend, packClass, id)
    packs.set(
      `repository/${packClass}/${id.slice(0, 2)}/${id}`,
      entries.map((entry) => ({
        name: `${entry.kind} ${objectIdAt(entry.id)}`,
        kind: entry.kind,
        codec: entry.codec,
        start: entry.offset,
        end: entry.offset + recordLength(entry),
      })),
    )
  }
  await repository.close()
  const [files, others] = [directory, foreign].map((each) => listFiles(each, ['repository', 'cache']))
  return { directory, source, snapshots, packs, files: files!, foreign: others!, parity }
}

/** Above what Linux gives to processes. */
const NO_PID = 2 ** 22 + 1

async function mustRun(directory: string, argv: readonly string[]): Promise<CliResult> {
  const result = await runCli(directory, argv)
  if (result.code !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr}`)
  return result
}

async function findNeeds(
  { load }: Repository,
  root: Parameters<typeof walkTree>[1],
  paths: Iterable<string>,
): Promise<Map<string, Set<string>>> {
  const needs = new Map<string, Set<string>>()
  for (const path of paths) {
    const names = new Set<string>()
    const addTrees = async (id: typeof root): Promise<void> => {
      for await (const _ of walkTree(load, id, (tree) => names.add(`tree ${tree}`) !== undefined));
    }
    await addTrees(root)
    for (let slash = path.indexOf('/', 1); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const directory = await findNode(load, root, path.slice(0, slash) as ByteString)
      if (directory?.type === 'directory') await addTrees(directory.tree)
    }
    const node = await findNode(load, root, path as ByteString)
    if (node?.type !== 'file') throw new Error(`${path} is no file`)
    const onList = (list: string): boolean => names.add(`list ${list}`) !== undefined
    for await (const { ids } of walkChunks(load, node.content, node.size, onList))
      for (let at = 0; at < ids.length; at += ID_BYTES) names.add(`chunk ${objectIdAt(ids, at)}`)
    needs.set(path, names)
  }
  return needs
}

/** Files below `folders` of a directory, as paths in it, sorted. */
export function listFiles(directory: string, folders: readonly string[]): string[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(directory, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1)),
    )
    .sort()
}

/** A copy of repository and cache that a cell may damage; the source is shared. */
export class Copy implements Disposable {
  readonly directory: string
  readonly scene: Scene
  #restored = 0

  constructor(scene: Scene) {
    this.scene = scene
    this.directory = join(scene.directory, `copy-${Math.random().toString(36).slice(2)}`)
    for (const folder of ['repository', 'cache'])
      cpSync(join(scene.directory, folder), join(this.directory, folder), { recursive: true, preserveTimestamps: true })
  }

  run(...argv: string[]): Promise<CliResult> {
    return runCli(this.directory, argv)
  }

  /** Restores into a new folder and answers what is there, by the path in the snapshot; with what was said. */
  async restore(id: string): Promise<CliResult & { readonly contents: ReadonlyMap<string, Buffer> }> {
    const target = join(this.directory, `target-${this.#restored++}`)
    mkdirSync(target)
    const result = await this.run('restore', id, '-t', target)
    const contents = new Map(listFiles(target, ['']).map((path) => [`/${path}`, readFileSync(join(target, path))]))
    rmSync(target, { recursive: true })
    return { ...result, contents }
  }

  async open(): Promise<Repository> {
    return await openTestRepository(this.directory, testEnvironment(this.directory))
  }

  /** Makes a file what it was. */
  putBack(file: string): void {
    cpSync(join(this.scene.directory, file), join(this.directory, file))
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 })
  }
}
