import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import { mapOrdered } from '../base/async.ts'
import { ChainkeepError, errnoOf, fileError } from '../base/errors.ts'
import type { Backend, ByteRange, FileKind, FileStat, UnnamedFile } from './backend.ts'
import { type FileSystem, nodeFileSystem } from './file-system.ts'
import { makeDirectory } from './local-folders.ts'
import { TemporaryFile } from './temporary-file.ts'

/** Kinds that hold many files are spread over 256 folders by the first two digits of the name. */
const SPREAD: ReadonlySet<FileKind> = new Set(['data', 'meta', 'parity'])
/** Kinds of which there is one file. */
const SINGLE: ReadonlySet<FileKind> = new Set(['config', 'settings', 'reserve'])
/** Kinds whose folders come with their first file. */
const MADE_WHEN_NEEDED: ReadonlySet<FileKind> = new Set([...SPREAD, 'condemned'])
/** Kinds without whose folders nothing can be right. */
const ALWAYS_THERE: readonly FileKind[] = ['data', 'meta', 'snapshots']
const NAME = /^[0-9a-f]{1,64}$/
/** So many are listed at the same time: each call waits for a thread, and for the server if there is one. */
const FOLDERS_AT_ONCE = 8

/** Files in a folder of this machine. `directory` must be absolute. */
export function localBackend(directory: string, files: FileSystem = nodeFileSystem): Backend {
  return new LocalBackend(directory, files)
}

class LocalBackend implements Backend {
  readonly location: string
  readonly localDirectory: string
  readonly writer: string = randomBytes(8).toString('hex')
  readonly #files: FileSystem
  /** Folders whose own name is known to be durable. */
  readonly #durableFolders = new Set<string>()

  constructor(directory: string, files: FileSystem) {
    this.location = directory
    this.localDirectory = directory
    this.#files = files
  }

  put(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void> {
    return this.#put(kind, name, parts, true)
  }

  putBriefly(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void> {
    return this.#put(kind, name, parts, false)
  }

  async #put(kind: FileKind, name: string, parts: readonly Uint8Array[], durable: boolean): Promise<void> {
    this.#locate(kind, name) // before anything is written
    try {
      const file = await this.#begin()
      try {
        await file.append(parts)
        await this.#publish(file, kind, name, durable)
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
      if (MADE_WHEN_NEEDED.has(kind)) await this.#makeFolder(folder)
      const file = await this.#begin()
      try {
        await file.append(parts)
        await file.finish(true)
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
    const file = await this.#begin(SPREAD.has(kind)).catch(refuse)
    return {
      append: (parts) => file.append(parts).catch(refuse),
      publish: (name) =>
        this.#publish(file, kind, name, true)
          .catch((error: unknown) => {
            throw this.#cannotWrite(error, kind, name)
          })
          .finally(() => file.discard()),
      discard: () => file.discard(),
    }
  }

  async #begin(isLarge = false): Promise<TemporaryFile> {
    const folder = join(this.location, 'tmp')
    try {
      const name = this.writer + randomBytes(16).toString('hex')
      return await TemporaryFile.create(this.#files, join(folder, name), isLarge)
    } catch (error) {
      throw errnoOf(error) === 'ENOENT' ? missingFolder(folder, error) : error
    }
  }

  #cannotWrite(error: unknown, kind: FileKind, name: string): ChainkeepError {
    return fileError(`cannot write ${this.#locate(kind, name).path}`, error, { kind, name })
  }

  /** Its temporary name stays, and is the caller's to discard. */
  async #publish(file: TemporaryFile, kind: FileKind, name: string, durable: boolean): Promise<void> {
    const { folder, path } = this.#locate(kind, name)
    if (MADE_WHEN_NEEDED.has(kind)) await this.#makeFolder(folder)
    await file.finish(durable)
    await this.#giveName(file.path, path)
    if (!durable) return
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
    try {
      await makeDirectory(this.#files, folder)
    } catch (error) {
      throw errnoOf(error) === 'ENOENT' ? missingFolder(parent, error) : error
    }
    await this.#files.syncDirectory(parent)
    this.#durableFolders.add(folder)
  }

  /** Gives the finished file its name, unless that is taken. */
  async #giveName(temporary: string, path: string): Promise<void> {
    try {
      await this.#files.link(temporary, path)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' && !(await this.#exists(dirname(path)))) throw missingFolder(dirname(path), error)
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
    const folders = await this.#names(root, (name) => /^[0-9a-f]{2}$/.test(name), true)
    const isIn = (folder: string) => (name: string) => NAME.test(name) && name.startsWith(folder)
    const lists = mapOrdered(folders, FOLDERS_AT_ONCE, (folder) => this.#names(join(root, folder), isIn(folder)))
    for await (const names of lists) yield* names
  }

  async #names(path: string, accept: (name: string) => boolean, directories = false): Promise<string[]> {
    try {
      const entries = await this.#files.list(path)
      return entries
        .filter(({ name, isDirectory }) => isDirectory === directories && accept(name))
        .map(({ name }) => name)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fileError(`cannot list ${path}`, error)
      // No snapshots and no place for them are two things: taken for the first, the second would let prune free everything.
      if (ALWAYS_THERE.some((kind) => path === join(this.location, kind))) throw missingFolder(path, error)
      return [] // lost with its files, or never made
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

  async touch(kind: FileKind, name: string): Promise<void> {
    const { path } = this.#locate(kind, name)
    try {
      await this.#files.touch(path)
    } catch (error) {
      throw fileError(`cannot write ${path}`, error, { kind, name })
    }
  }

  async clock(): Promise<number> {
    try {
      const file = await this.#begin()
      try {
        return (await this.#files.stat(file.path)).modifiedMs
      } finally {
        await file.discard()
      }
    } catch (error) {
      throw fileError(`cannot write into ${join(this.location, 'tmp')}`, error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #locate(kind: FileKind, name: string): { folder: string; path: string } {
    if (SINGLE.has(kind)) return { folder: this.location, path: join(this.location, kind) }
    if (!NAME.test(name)) throw new RangeError(`not a name of a stored file: ${JSON.stringify(name)}`)
    const folder = SPREAD.has(kind) ? join(this.location, kind, name.slice(0, 2)) : join(this.location, kind)
    return { folder, path: join(folder, name) }
  }
}

/** One folder is gone while the config is there: rarely does somebody delete that alone. */
function missingFolder(path: string, cause: unknown): ChainkeepError {
  const what = 'the repository was not copied whole, or part of it is not mounted'
  const message = `${path} is missing: ${what}; bring it back, or make the folder if there was nothing in it`
  return new ChainkeepError('NOT_FOUND', message, { path }, cause)
}
