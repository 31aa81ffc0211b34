import { dirname, join, relative } from 'node:path'
import { ChainkeepError, errnoOf, fileError } from '../base/errors.ts'
import { type FileSystem, nodeFileSystem } from './file-system.ts'

const FOLDERS = ['data', 'meta', 'snapshots', 'locks', 'tmp'] as const
/** What is in these is worth keeping; in the others lies what unfinished runs have left behind. */
const KEPT_FOLDERS: ReadonlySet<string> = new Set(['data', 'meta', 'snapshots'])

/**
 * Makes the folders of an empty repository in `directory`, which may exist if it holds no files but leftovers of an attempt
 * that was interrupted. Rejects EXISTS, NOT_FOUND (there is no folder for it to be in), DENIED, IO.
 */
export async function createLocalFolders(directory: string, files: FileSystem = nodeFileSystem): Promise<void> {
  try {
    if (await makeRoot(files, directory)) await files.syncDirectory(dirname(directory))
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

/** Not with those above it: where they are missing, a path was mistyped, or a disk is not mounted. */
async function makeRoot(files: FileSystem, directory: string): Promise<boolean> {
  try {
    return await makeDirectory(files, directory)
  } catch (error) {
    const parent = dirname(directory)
    const isParentThere = await files.stat(parent).then(
      () => true,
      () => false,
    )
    if (errnoOf(error) !== 'ENOENT' || isParentThere) throw error // in /proc nothing can be made
    const message = `cannot create a repository in ${directory}: there is no ${parent}; make that folder first, or correct the path`
    throw new ChainkeepError('NOT_FOUND', message, { directory: parent }, error)
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

/** Whether the folder had to be made. */
export async function makeDirectory(files: FileSystem, path: string): Promise<boolean> {
  try {
    await files.makeDirectory(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}
