import { type BigIntStats, chmodSync, closeSync, constants, ftruncateSync, linkSync, openSync } from 'node:fs'
import { type ByteString, fromByteString } from '../base/bytes.ts'
import type { FileNode } from '../format/node.ts'
import { preallocate } from '../native/posix.ts'
import { loadAttributes } from '../repository/trees.ts'
import { hasContent } from './compare-file.ts'
import { makeWay } from './delete-extra.ts'
import type { FileLink, FileWork } from './file-work.ts'
import type { RestoreJob } from './job.ts'
import { hasMetadata, metadataOf } from './metadata.ts'
import { lstat, removeFile, type TargetDirectory, targetPath } from './target.ts'

/** The first file of each group of hard links; 200 bytes or so each. */
export type LinkGroups = Map<string, FileWork>

/**
 * Makes the file that a node describes ready to be written: created, or of the right size. Answers `undefined` if nothing
 * is left to do: it was skipped, linked to an earlier one, or failed, and the report knows.
 */
export async function prepareFile(
  job: RestoreJob,
  node: FileNode,
  path: ByteString,
  directory: TargetDirectory,
  groups: LinkGroups,
): Promise<FileWork | undefined> {
  const target = targetPath(directory, node.name)
  try {
    const existing = directory.isNew || directory.state === 'missing' ? undefined : lstat(target)
    if (existing && job.options.overwrite === 'never') {
      job.report.item(path, 'skipped', node.size)
      job.report.advance(node.size)
      return undefined
    }
    const first = node.linkGroup === undefined ? undefined : groups.get(node.linkGroup)
    if (first) {
      linkFile(job, first, path, target, existing)
      job.report.advance(node.size)
      return undefined
    }
    job.report.add('totalBytes', node.size)
    const file =
      (existing && (await reuseFile(job, node, path, target, existing))) ??
      createFile(job, node, path, target, existing)
    if (node.linkGroup !== undefined) groups.set(node.linkGroup, file)
    return file
  } catch (error) {
    job.report.failCall(path, 'cannot create', target, error)
    job.report.advance(node.size)
    return undefined
  }
}

/** Gives the file its further name `path`: only ever a name of a file that this run has created or found to be right. */
function linkFile(
  job: RestoreJob,
  first: FileWork,
  path: ByteString,
  target: ByteString,
  existing: BigIntStats | undefined,
): void {
  const { options, report } = job
  if (first.failure !== undefined) {
    report.fail(path, first.failure.reason, first.failure.isDamage)
    return
  }
  const inode = options.dryRun && first.origin === 'created' ? undefined : lstat(first.target)
  if (existing && inode && existing.ino === inode.ino && existing.dev === inode.dev) {
    report.item(path, 'unchanged', first.node.size)
    return
  }
  if (!options.dryRun) {
    if (existing) makeWay(job, target, path, existing)
    linkSync(fromByteString(first.target), fromByteString(target))
  }
  const isUpdate = existing !== undefined
  if (first.isFinished) report.item(path, isUpdate ? 'updated' : 'restored', first.node.size)
  else first.links.push({ path, target, isUpdate }) // reported when it is known whether there is content
}

/** The existing file, if it is one that may be written into, or that need not be; with the size it should have. */
async function reuseFile(
  job: RestoreJob,
  node: FileNode,
  path: ByteString,
  target: ByteString,
  existing: BigIntStats,
): Promise<FileWork | undefined> {
  if (!existing.isFile()) return undefined
  const size = Number(existing.size)
  const isTrusted = job.options.overwrite === 'if-changed' && size === node.size && existing.mtimeNs === node.mtimeNs
  const file = {
    node,
    path,
    target,
    isUpdate: true,
    skipZeros: false,
    links: [],
    isChanged: size !== node.size,
    isFinished: false,
  }
  // Other names of it may be anywhere: it stays as it is or gives way to a new file, but is never written through.
  if (existing.nlink > 1n)
    return (await isRight(job, node, target, existing, isTrusted)) ? { ...file, origin: 'trusted' } : undefined
  if (isTrusted || (node.size === 0 && size === 0)) return { ...file, origin: 'trusted' }
  if (!job.options.dryRun) resize(target, Number(existing.mode & 0o7777n), size, node.size)
  return { ...file, origin: 'existing' }
}

async function isRight(
  job: RestoreJob,
  node: FileNode,
  target: ByteString,
  existing: BigIntStats,
  isTrusted: boolean,
): Promise<boolean> {
  if (Number(existing.size) !== node.size) return false
  const attributes = await loadAttributes(job.repository.load, node)
  if (!hasMetadata(target, existing, metadataOf(node, attributes, job.ownership))) return false
  return isTrusted || (await hasContent(job, node, target))
}

/** Makes an existing file writable (its mode is set in the end) and cuts or extends it to `size`. */
function resize(target: ByteString, mode: number, oldSize: number, size: number): void {
  if ((mode & 0o600) !== 0o600) chmodSync(fromByteString(target), mode | 0o600)
  if (oldSize === size) return
  const fd = openSync(fromByteString(target), constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    ftruncateSync(fd, size)
  } finally {
    closeSync(fd)
  }
}

/** A new file in place of whatever is there. It is all zeros: holes if it may be sparse, else reserved blocks where the file system can. */
function createFile(
  job: RestoreJob,
  node: FileNode,
  path: ByteString,
  target: ByteString,
  existing: BigIntStats | undefined,
): FileWork {
  const { dryRun, sparse } = job.options
  const file = {
    node,
    path,
    target,
    origin: 'created',
    isUpdate: existing !== undefined,
    links: [] as FileLink[],
    isChanged: true,
    isFinished: false,
  } as const
  if (dryRun) return { ...file, skipZeros: false }
  if (existing) makeWay(job, target, path, existing)
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  const fd = openSync(fromByteString(target), flags, 0o600)
  try {
    const isSparse = node.sparse === true || sparse === true
    const isReserved = !isSparse && node.size >= RESERVE_BYTES && preallocate(fd, node.size)
    if (!isReserved && node.size > 0) ftruncateSync(fd, node.size)
    return { ...file, skipZeros: isSparse || isReserved }
  } catch (error) {
    removeFile(target)
    throw error
  } finally {
    closeSync(fd)
  }
}

/** Smaller files are written at once, so that reserving gains nothing. */
const RESERVE_BYTES = 2 ** 20
