import { type BigIntStats, chmodSync, lstatSync, mkdirSync, realpathSync, statSync, unlinkSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { type ByteString, byteStringOf, fromByteString, joinPath, toByteString } from '../base/bytes.ts'
import { makeDirectories } from '../base/directories.ts'
import { ChainkeepError, errnoOf, fileError } from '../base/errors.ts'
import { isSafeName } from '../format/node.ts'
import type { OverwriteMode } from './options.ts'

/** The directory that everything is restored into. Nobody else may write below it meanwhile. */
export interface Target {
  /** Absolute, without symbolic links. */
  readonly path: ByteString
  /** It was not there before. */
  readonly isNew: boolean
}

/** Where `target` really is, without making it. Throws EXISTS if it is something else, DENIED, IO. */
export function findTarget(target: string): Target {
  try {
    const stats = statSync(target, { throwIfNoEntry: false })
    if (stats && !stats.isDirectory())
      throw new ChainkeepError('EXISTS', `cannot restore into ${target}: it is not a directory`, { target })
    return { path: realPath(resolve(target)), isNew: !stats }
  } catch (error) {
    throw fileError(`cannot restore into ${target}`, error, { target })
  }
}

/** Makes the directory and those above it. Rejects DENIED, NO_SPACE, EXISTS, IO. */
export function makeTarget(target: string): void {
  try {
    makeDirectories(resolve(target))
  } catch (error) {
    throw fileError(`cannot restore into ${target}`, error, { target })
  }
}

/** The path without symbolic links, as far as it exists. */
function realPath(path: string): ByteString {
  try {
    return toByteString(realpathSync(path, { encoding: 'buffer' }))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    return joinPath(realPath(dirname(path)), byteStringOf(basename(path)))
  }
}

/**
 * What there is of a directory of the snapshot in the target: `open`: a real directory; `missing`: nothing, or something that
 * has to make way; `closed`: nothing can or may be restored below.
 */
export type DirectoryState = 'open' | 'missing' | 'closed'

/** A directory on the current path. */
export interface TargetDirectory {
  readonly path: ByteString
  readonly state: DirectoryState
  /** Nobody but this run has put anything into it. */
  readonly isNew: boolean
}

/** The path of an entry. Whatever decoders have checked: no name leads out of its directory. */
export function targetPath(directory: TargetDirectory, name: ByteString): ByteString {
  if (!isSafeName(name)) throw new RangeError('a name that is no single path component')
  return joinPath(directory.path, name)
}

/** Looks, without following links, at the directory that `path` in `parent` should be. */
export function lookAtDirectory(parent: TargetDirectory, path: ByteString, overwrite: OverwriteMode): DirectoryState {
  if (parent.state !== 'open' || parent.isNew) return parent.state === 'closed' ? 'closed' : 'missing'
  const stats = lstat(path)
  if (stats?.isDirectory()) return 'open'
  return stats && overwrite === 'never' ? 'closed' : 'missing'
}

/** Makes the directory at `path`, in place of whatever else is there; one that is there is made accessible. */
export function makeDirectory(path: ByteString, state: 'open' | 'missing'): void {
  const stats = lstat(path)
  if (state === 'open' && stats?.isDirectory()) {
    const mode = Number(stats.mode & 0o7777n)
    if ((mode & 0o700) !== 0o700) chmodSync(fromByteString(path), mode | 0o700)
    return
  }
  if (stats) unlinkSync(fromByteString(path))
  mkdirSync(fromByteString(path), { mode: 0o700 })
}

/** Removes a file that may be gone already. */
export function removeFile(path: ByteString): void {
  try {
    unlinkSync(fromByteString(path))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/** What is at `path` itself, `undefined` for nothing. */
export function lstat(path: ByteString): BigIntStats | undefined {
  return lstatSync(fromByteString(path), { bigint: true, throwIfNoEntry: false })
}
