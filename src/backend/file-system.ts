import { constants, type Dirent } from 'node:fs'
import * as fs from 'node:fs/promises'
import { ChainkeepError, errnoOf } from '../base/errors.ts'
import { writeGroups } from '../base/writing.ts'
import type { ByteRange, FileStat } from './backend.ts'
import { DirectFile, openDirect } from './direct-file.ts'

/**
 * The seam that every file call of the store goes through, so that tests can record, fail and reorder them.
 * Errors are those of node:fs; the backend turns them into ours.
 */
export interface FileSystem {
  /** Creates a file that must not exist. If much is to come, `isLarge` is of use. */
  create(path: string, isLarge?: boolean): Promise<NewFile>
  /** Reads `length` bytes at `offset`, fewer only at the end of the file; without a range, all of it. See ByteRange for where to. */
  read(path: string, range?: ByteRange): Promise<Uint8Array>
  stat(path: string): Promise<FileStat>
  /** Names in a folder, with whether each is a folder itself. */
  list(path: string): Promise<{ name: string; isDirectory: boolean }[]>
  /** Creates a folder; its parent must exist. */
  makeDirectory(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Gives the file a second name, which must not exist. */
  link(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Gives a file that is not empty the time of now, by the clock of the file system. */
  touch(path: string): Promise<void>
  /** Makes names in a folder durable. */
  syncDirectory(path: string): Promise<void>
}

export interface NewFile {
  /** Appends all parts. */
  write(parts: readonly Uint8Array[]): Promise<void>
  /** Makes the content durable. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** The real one. */
export const nodeFileSystem: FileSystem = {
  async create(path, isLarge = false) {
    const handle = await fs.open(path, 'wx', 0o600)
    const direct = isLarge ? await openDirect(path) : undefined
    if (direct) return new DirectFile(handle, direct)
    return {
      write: (parts) => writeAll(handle, parts),
      sync: () => handle.datasync(),
      close: () => handle.close(),
    }
  },

  async read(path, range) {
    const handle = await fs.open(path, constants.O_RDONLY)
    try {
      const offset = range?.offset ?? 0
      const length = range?.length ?? (await handle.stat()).size
      const buffer = range?.into?.subarray(0, length) ?? Buffer.allocUnsafeSlow(length)
      let done = 0
      while (done < length) {
        const { bytesRead } = await handle.read(buffer, done, length - done, offset + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return done === length ? buffer : buffer.subarray(0, done)
    } finally {
      await handle.close()
    }
  },

  async stat(path) {
    const { size, mtimeMs } = await fs.stat(path)
    return { size, modifiedMs: mtimeMs }
  },

  async list(path) {
    const entries: Dirent[] = await fs.readdir(path, { withFileTypes: true })
    return entries.map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
  },

  makeDirectory: (path) => fs.mkdir(path, { mode: 0o700 }),
  rename: (from, to) => fs.rename(from, to),
  link: (from, to) => fs.link(from, to),
  remove: (path) => fs.unlink(path),

  // `utimes` would set the time of this machine's clock, which need not be that of a server's.
  async touch(path) {
    const handle = await fs.open(path, constants.O_RDWR)
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(1), 0, 1, 0)
      await handle.write(buffer, 0, bytesRead, 0)
    } finally {
      await handle.close()
    }
  },

  async syncDirectory(path) {
    const handle = await fs.open(path, constants.O_RDONLY)
    try {
      await handle.sync()
    } catch (error) {
      // Some network file systems cannot sync a folder; they make names durable in their own way.
      if (!['EINVAL', 'ENOTSUP', 'EISDIR'].includes(errnoOf(error) ?? '')) throw error
    } finally {
      await handle.close()
    }
  },
}

async function writeAll(handle: fs.FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  for (const group of writeGroups(parts)) await writeGroup(handle, group)
}

/** `writev` may write less than it was given. */
async function writeGroup(handle: fs.FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  let rest = parts.filter((part) => part.length > 0)
  while (rest.length > 0) {
    let { bytesWritten } = await handle.writev(rest)
    if (bytesWritten === 0) throw new ChainkeepError('IO', 'the file system wrote nothing')
    let whole = 0
    while (whole < rest.length && bytesWritten >= rest[whole]!.length) bytesWritten -= rest[whole++]!.length
    rest = rest.slice(whole)
    if (bytesWritten > 0) rest[0] = rest[0]!.subarray(bytesWritten)
  }
}
