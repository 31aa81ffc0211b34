import { type FileSystem, type NewFile, nodeFileSystem } from '../../src/backend/file-system.ts'

export interface FileCall {
  readonly name: keyof FileSystem | keyof NewFile
  readonly path: string
}

export interface WatchedFileSystem {
  readonly files: FileSystem
  /** In the order in which they began. */
  readonly calls: FileCall[]
}

/** What makes a read answer half of what there is, and no error. */
export const SHORT_READ = 'short read'

/**
 * Records every call, and fails those for which `failure` answers an errno name (or SHORT_READ); it is told how many calls
 * were made before. A write that fails has written the half of it; a close that fails has closed.
 */
export function faultyFileSystem(
  failure: (call: FileCall, number: number) => string | undefined = () => undefined,
  real: FileSystem = nodeFileSystem,
): WatchedFileSystem {
  const calls: FileCall[] = []

  async function watch<T>(call: FileCall, run: () => Promise<T>, whenFailing?: () => Promise<unknown>): Promise<T> {
    const errno = failure(call, calls.length)
    calls.push(call)
    if (errno === undefined || errno === SHORT_READ) return run()
    await whenFailing?.()
    throw errnoError(errno, call)
  }

  function watchFile(file: NewFile, path: string): NewFile {
    return {
      write: (parts) =>
        watch(
          { name: 'write', path },
          () => file.write(parts),
          () => file.write([Buffer.concat(parts).subarray(0, Buffer.concat(parts).length / 2)]),
        ),
      sync: () => watch({ name: 'sync', path }, () => file.sync()),
      close: () =>
        watch(
          { name: 'close', path },
          () => file.close(),
          () => file.close(),
        ),
    }
  }

  const files: FileSystem = {
    create: (path, isLarge) =>
      watch({ name: 'create', path }, async () => watchFile(await real.create(path, isLarge), path)),
    read: async (path, range) => {
      const isShort = failure({ name: 'read', path }, calls.length) === SHORT_READ
      const bytes = await watch({ name: 'read', path }, () => real.read(path, range))
      return isShort ? bytes.subarray(0, bytes.length >> 1) : bytes
    },
    stat: (path) => watch({ name: 'stat', path }, () => real.stat(path)),
    list: (path) => watch({ name: 'list', path }, () => real.list(path)),
    makeDirectory: (path) => watch({ name: 'makeDirectory', path }, () => real.makeDirectory(path)),
    rename: (from, to) => watch({ name: 'rename', path: to }, () => real.rename(from, to)),
    link: (from, to) => watch({ name: 'link', path: to }, () => real.link(from, to)),
    remove: (path) => watch({ name: 'remove', path }, () => real.remove(path)),
    touch: (path) => watch({ name: 'touch', path }, () => real.touch(path)),
    syncDirectory: (path) => watch({ name: 'syncDirectory', path }, () => real.syncDirectory(path)),
  }
  return { files, calls }
}

/** As node:fs throws them. */
export function errnoError(code: string, { name, path }: FileCall): Error {
  return Object.assign(new Error(`${code}: ${name} '${path}'`), { code, syscall: name, path })
}
