import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { FileSystem, NewFile } from '../../src/backend/file-system.ts'
import { errnoError } from './faulty-file-system.ts'

/** What a disk holds: paths are absolute. */
export interface DiskImage {
  readonly directories: ReadonlySet<string>
  readonly files: ReadonlyMap<string, StoredFile>
}

/** A file by what is in it. Names of one file share it. Its bytes are never changed in place. */
export interface StoredFile {
  /** Tells files apart that were created on disks of one image. */
  readonly inode: number
  bytes: Uint8Array
  modifiedMs: number
}

/** What changes a disk, in the order in which it did. */
export type DiskOperation =
  | { readonly type: 'create' | 'link'; readonly path: string; readonly file: StoredFile }
  | { readonly type: 'write'; readonly file: StoredFile; readonly bytes: Uint8Array }
  | { readonly type: 'sync'; readonly file: StoredFile }
  | { readonly type: 'rename'; readonly from: string; readonly path: string; readonly file: StoredFile }
  | { readonly type: 'remove' | 'makeDirectory' | 'syncDirectory'; readonly path: string }

export interface MemoryDisk {
  readonly files: FileSystem
  image(): DiskImage
}

export interface DiskOptions {
  /** Hears of each operation when it takes effect. */
  readonly onOperation?: (operation: DiskOperation) => void
  readonly now?: () => number
  /** How many turns of the event loop a call takes, so that calls at once overtake one another. Default: none. */
  readonly turns?: () => number
  /** A disk without hard links refuses to make them. */
  readonly hardLinks?: boolean
}

export function emptyImage(directory: string): DiskImage {
  const directories = new Set<string>()
  for (let path = directory; !directories.has(path); path = dirname(path)) directories.add(path)
  return { directories, files: new Map() }
}

/** A file system in memory that begins with `start`, which it leaves as it is, and behaves as `nodeFileSystem` does. */
export function memoryDisk(start: DiskImage, options: DiskOptions = {}): MemoryDisk {
  const { onOperation = () => {}, now = Date.now, turns = () => 0, hardLinks = true } = options
  const directories = new Set(start.directories)
  const stored = new Map<string, StoredFile>()
  let inode = 0
  for (const [path, file] of start.files) {
    stored.set(path, { ...file })
    inode = Math.max(inode, file.inode)
  }

  const pause = async (): Promise<void> => {
    for (let left = turns(); left > 0; left--) await setImmediate()
  }
  const find = (name: keyof FileSystem, path: string): StoredFile => {
    const file = stored.get(path)
    if (!file) throw errnoError(directories.has(path) ? 'EISDIR' : missingCode(path), { name, path })
    return file
  }
  const missingCode = (path: string): string => (stored.has(dirname(path)) ? 'ENOTDIR' : 'ENOENT')
  const requireFree = (name: keyof FileSystem, path: string): void => {
    if (stored.has(path) || directories.has(path)) throw errnoError('EEXIST', { name, path })
    if (!directories.has(dirname(path))) throw errnoError(missingCode(path), { name, path })
  }
  const open = (file: StoredFile): NewFile => ({
    async write(parts) {
      await pause()
      const bytes = Buffer.concat(parts)
      file.bytes = Buffer.concat([file.bytes, bytes])
      file.modifiedMs = now()
      onOperation({ type: 'write', file, bytes })
    },
    async sync() {
      await pause()
      onOperation({ type: 'sync', file })
    },
    close: pause,
  })

  const files: FileSystem = {
    async create(path) {
      await pause()
      requireFree('create', path)
      const file = { inode: ++inode, bytes: new Uint8Array(0), modifiedMs: now() }
      stored.set(path, file)
      onOperation({ type: 'create', path, file })
      return open(file)
    },
    async read(path, range) {
      await pause()
      const { bytes } = find('read', path)
      const { offset, length, into } = range ?? { offset: 0, length: bytes.length }
      const found = bytes.subarray(offset, offset + length)
      if (!into) return Uint8Array.from(found)
      into.set(found)
      return into.subarray(0, found.length)
    },
    async stat(path) {
      await pause()
      if (directories.has(path)) return { size: 0, modifiedMs: 0 }
      const { bytes, modifiedMs } = find('stat', path)
      return { size: bytes.length, modifiedMs }
    },
    async list(path) {
      await pause()
      if (!directories.has(path))
        throw errnoError(stored.has(path) ? 'ENOTDIR' : missingCode(path), { name: 'list', path })
      const inIt = (paths: Iterable<string>): string[] => [...paths].filter((each) => dirname(each) === path)
      const entries = [
        ...inIt(directories).map((each) => ({ name: each, isDirectory: true })),
        ...inIt(stored.keys()).map((each) => ({ name: each, isDirectory: false })),
      ]
      return entries.map(({ name, isDirectory }) => ({ name: name.slice(join(path, '/').length), isDirectory }))
    },
    async makeDirectory(path) {
      await pause()
      requireFree('makeDirectory', path)
      directories.add(path)
      onOperation({ type: 'makeDirectory', path })
    },
    async rename(from, path) {
      await pause()
      const file = find('rename', from)
      stored.delete(from)
      stored.set(path, file)
      onOperation({ type: 'rename', from, path, file })
    },
    async link(from, path) {
      await pause()
      if (!hardLinks) throw errnoError('EPERM', { name: 'link', path })
      const file = find('link', from)
      requireFree('link', path)
      stored.set(path, file)
      onOperation({ type: 'link', path, file })
    },
    async remove(path) {
      await pause()
      find('remove', path)
      stored.delete(path)
      onOperation({ type: 'remove', path })
    },
    async touch(path) {
      await pause()
      find('touch', path).modifiedMs = now()
    },
    async syncDirectory(path) {
      await pause()
      if (!directories.has(path)) throw errnoError('ENOENT', { name: 'syncDirectory', path })
      onOperation({ type: 'syncDirectory', path })
    },
  }
  return { files, image: () => ({ directories: new Set(directories), files: new Map(stored) }) }
}
