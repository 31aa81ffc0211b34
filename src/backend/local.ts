import { randomBytes } from 'node:crypto'
import { dirname, join, relative } from 'node:path'
import { ChainkeepError, errnoOf, fileError } from '../base/errors.ts'
import type { Backend, ByteRange, FileKind, FileStat, UnnamedFile } from './backend.ts'
import { type FileSystem, nodeFileSystem } from './file-system.ts'
import { TemporaryFile } from './temporary-file.ts'

/** Kinds that hold many files are spread over 256 folders by the first two digits of the name. */
const SPREAD: ReadonlySet<FileKind> = new Set(['data', 'meta', 'parity'])
const FOLDERS = ['data', 'meta', 'snapshots', 'locks', 'tmp'] as const
/** What is in these is worth keeping; in the others lies what unfinished runs have left behind. */
const KEPT_FOLDERS: ReadonlySet<string> = new Set(['data', 'meta', 'snapshots'])
const NAME = /^[0-9a-f]{1,64}$/

/** Files in a folder of this machine. `directory` must be absolute. */
export function localBackend(directory: string, files: FileSystem = nodeFileSystem): Backend {
  return new LocalBackend(directory, files)
}

/**
 * Makes the folders of an empty repository in `directory`, which may exist if it holds no files but leftovers of an attempt
 * that was interrupted. Rejects EXISTS, DENIED, IO.
 */
export async function createLocalFolders(directory: string, files: FileSystem = nodeFileSystem): Promise<void> {
  try {
    if (await makeDirectory(files, directory)) await files.syncDirectory(dirname(directory))
    const names = await files.list(directory)
    if (names.length > 0 && !names.every(({ name }) => (FOLDERS as readonly string[]).includes(name)))
      throw new ChainkeepError('EXISTS', `cannot create a repository in ${directory}: the folder is not empty`, {
        directory,
      })
    for (const name of names.map((entry) => entry.name).filter((each) => KEPT_FOLDERS.has(each)))
      await refuseFiles(files, directory, name)
    for (const name of FOLDERS) await makeDirectory(files, join(directory, name))
    await files.syncDirectory(directory)
  } catch (error) {
    throw fileError(`cannot create a repository in ${directory}`, error, { directory })
  }
}

/** Without their config, nobody knows whose packs and snapshots these are, and another config would not fit them. */
async function refuseFiles(files: FileSystem, directory: string, folder: string): Promise<void> {
  const found = await findFile(files, join(directory, folder))
  if (found === undefined) return
  const what = `it holds ${relative(directory, found)}, but no config`
  const advice =
    'if the config of a repository was lost, put a copy of it there, and its packs are readable again; if not, choose an empty folder'
  throw new ChainkeepError('EXISTS', `cannot create a repository in ${directory}: ${what}; ${advice}`, {
    directory,
    file: found,
  })
}

/** The path itself, if it is a file, or else of any file below it. */
async function findFile(files: FileSystem, path: string): Promise<string | undefined> {
  try {
    for (const { name } of await files.list(path)) {
      const found = await findFile(files, join(path, name))
      if (found !== undefined) return found
    }
    return undefined
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return path
    throw error
  }
}

class LocalBackend implements Backend {
  readonly location: string
  readonly localDirectory: string
  readonly #files: FileSystem
  /** Folders whose own name is known to be durable. */
  readonly #durableFolders = new Set<string>()

  constructor(directory: string, files: FileSystem) {
    this.location = directory
    this.localDirectory = directory
    this.#files = files
  }

  async put(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void> {
    this.#locate(kind, name) // before anything is written
    try {
      const file = await this.#begin()
      try {
        await file.append(parts)
        await this.#publish(file, kind, name)
      } finally {
        await file.discard()
      }
    } catch (error) {
      throw this.#cannotWrite(error, kind, name)
    }
  }

  async replace(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void> {
    const { folder, path } = this.#locate(kind, name)
    try {
      if (SPREAD.has(kind)) await this.#makeFolder(folder)
      const file = await this.#begin()
      try {
        await file.append(parts)
        await file.finish()
        await this.#files.rename(file.path, path)
        await this.#files.syncDirectory(folder)
      } finally {
        await file.discard()
      }
    } catch (error) {
      throw this.#cannotWrite(error, kind, name)
    }
  }

  async begin(kind: FileKind): Promise<UnnamedFile> {
    const refuse = (error: unknown): never => {
      throw fileError(`cannot write a new file to ${join(this.location, kind)}`, error, { kind })
    }
    const file = await this.#begin().catch(refuse)
    return {
      append: (parts) => file.append(parts).catch(refuse),
      publish: (name) =>
        this.#publish(file, kind, name)
          .catch((error: unknown) => {
            throw this.#cannotWrite(error, kind, name)
          })
          .finally(() => file.discard()),
      discard: () => file.discard(),
    }
  }

  #begin(): Promise<TemporaryFile> {
    return TemporaryFile.create(this.#files, join(this.location, 'tmp', randomBytes(16).toString('hex')))
  }

  #cannotWrite(error: unknown, kind: FileKind, name: string): ChainkeepError {
    return fileError(`cannot write ${this.#locate(kind, name).path}`, error, { kind, name })
  }

  /** Its temporary name stays, and is the caller's to discard. */
  async #publish(file: TemporaryFile, kind: FileKind, name: string): Promise<void> {
    const { folder, path } = this.#locate(kind, name)
    if (SPREAD.has(kind)) await this.#makeFolder(folder)
    await file.finish()
    await this.#giveName(file.path, path)
    try {
      await this.#files.syncDirectory(folder)
    } catch (error) {
      await this.#files.remove(path).catch(() => {})
      throw error
    }
  }

  /** Synced once in each process, even if it is there: who made it may have died before its name was durable. */
  async #makeFolder(folder: string): Promise<void> {
    if (this.#durableFolders.has(folder)) return
    const parent = dirname(folder)
    if (parent === join(this.location, 'parity')) await this.#makeFolder(parent) // which comes with its first file
    await makeDirectory(this.#files, folder)
    await this.#files.syncDirectory(dirname(folder))
    this.#durableFolders.add(folder)
  }

  /** Gives the finished file its name, unless that is taken. */
  async #giveName(temporary: string, path: string): Promise<void> {
    try {
      await this.#files.link(temporary, path)
    } catch (error) {
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(errnoOf(error) ?? '')) throw error
      if (await this.#exists(path)) throw new ChainkeepError('EXISTS', `${path} exists already`)
      await this.#files.rename(temporary, path) // a file system without hard links
    }
  }

  async #exists(path: string): Promise<boolean> {
    try {
      await this.#files.stat(path)
      return true
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false
      throw error
    }
  }

  async get(kind: FileKind, name: string, range?: ByteRange): Promise<Uint8Array> {
    const { path } = this.#locate(kind, name)
    let bytes: Uint8Array
    try {
      bytes = await this.#files.read(path, range)
    } catch (error) {
      throw fileError(`cannot read ${path}`, error, { kind, name })
    }
    if (range && bytes.length < range.length)
      throw new ChainkeepError(
        'TRUNCATED',
        `${path}: ends ${range.length - bytes.length} bytes early at offset ${range.offset + bytes.length}`,
        {
          file: path,
          offset: range.offset + bytes.length,
        },
      )
    return bytes
  }

  async stat(kind: FileKind, name: string): Promise<FileStat> {
    const { path } = this.#locate(kind, name)
    try {
      return await this.#files.stat(path)
    } catch (error) {
      throw fileError(`cannot read ${path}`, error, { kind, name })
    }
  }

  async *list(kind: FileKind): AsyncGenerator<string, void, undefined> {
    const root = join(this.location, kind)
    if (!SPREAD.has(kind)) return yield* await this.#names(root, (name) => NAME.test(name))
    for (const folder of await this.#names(root, (name) => /^[0-9a-f]{2}$/.test(name), true))
      yield* await this.#names(join(root, folder), (name) => NAME.test(name) && name.startsWith(folder))
  }

  async #names(path: string, accept: (name: string) => boolean, directories = false): Promise<string[]> {
    try {
      const entries = await this.#files.list(path)
      return entries
        .filter(({ name, isDirectory }) => isDirectory === directories && accept(name))
        .map(({ name }) => name)
    } catch (error) {
      const isMissing = errnoOf(error) === 'ENOENT' // a folder that was lost with its files, or never made
      if (isMissing && path !== join(this.location, 'snapshots')) return []
      // No snapshots and no place for them are two things: taken for the first, the second would let prune free everything.
      if (isMissing)
        throw new ChainkeepError(
          'NOT_FOUND',
          `${path} is missing: the repository was not copied whole, or part of it is not mounted; bring it back, or make it if there were no snapshots`,
          { path },
          error,
        )
      throw fileError(`cannot list ${path}`, error)
    }
  }

  async remove(kind: FileKind, name: string): Promise<void> {
    const { folder, path } = this.#locate(kind, name)
    try {
      await this.#files.remove(path)
      await this.#files.syncDirectory(folder)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fileError(`cannot remove ${path}`, error, { kind, name })
    }
  }

  async removeLeftovers(): Promise<number> {
    const folder = join(this.location, 'tmp')
    const names = await this.#names(folder, (name) => NAME.test(name))
    for (const name of names)
      await this.#files.remove(join(folder, name)).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw fileError(`cannot remove ${join(folder, name)}`, error)
      })
    return names.length
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #locate(kind: FileKind, name: string): { folder: string; path: string } {
    if (kind === 'config' || kind === 'settings') return { folder: this.location, path: join(this.location, kind) }
    if (!NAME.test(name)) throw new RangeError(`not a name of a stored file: ${JSON.stringify(name)}`)
    const folder = SPREAD.has(kind) ? join(this.location, kind, name.slice(0, 2)) : join(this.location, kind)
    return { folder, path: join(folder, name) }
  }
}

/** Whether the folder had to be made. */
async function makeDirectory(files: FileSystem, path: string): Promise<boolean> {
  try {
    await files.makeDirectory(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}
