import { type BigIntStats, linkSync, readlinkSync, symlinkSync } from 'node:fs'
import { type ByteString, fromByteString, toByteString } from '../base/bytes.ts'
import type { DeviceNode, FifoNode, SymlinkNode } from '../format/node.ts'
import { deviceNumbers, makeDevice, makeFifo } from '../native/posix.ts'
import { makeWay } from './delete-extra.ts'
import { restoreMetadata } from './finish-file.ts'
import type { RestoreJob } from './job.ts'
import { lstat, type TargetDirectory, targetPath } from './target.ts'

/** What is neither a file nor a directory. */
export type SpecialNode = SymlinkNode | FifoNode | DeviceNode
/** The first path of each group of hard links. */
export type SpecialLinks = Map<string, ByteString>

/** Makes a symbolic link, FIFO or device unless it is there already. Never looks at what a link leads to. */
export async function restoreSpecial(
  job: RestoreJob,
  node: SpecialNode,
  path: ByteString,
  directory: TargetDirectory,
  links: SpecialLinks,
): Promise<void> {
  const { options, ownership, report } = job
  const target = targetPath(directory, node.name)
  try {
    const existing = directory.state === 'missing' ? undefined : lstat(target)
    if (existing && options.overwrite === 'never') return report.item(path, 'skipped', 0)
    const group = node.linkGroup && `${node.type} ${node.linkGroup}` // a hostile group may hold several types
    const first = group === undefined ? undefined : links.get(group)
    let isChanged = !existing || !isLike(existing, node, target, first)
    if (isChanged && isDevice(node) && !ownership.isRoot)
      return report.fail(path, 'only root can restore devices: run the restore as root')
    if (!options.dryRun) {
      if (isChanged && existing) makeWay(job, target, path, existing)
      if (isChanged && first) linkSync(fromByteString(first), fromByteString(target))
      else if (isChanged) make(node, target)
      if (!first) isChanged = (await restoreMetadata(job, node, { path, target })) || isChanged
    }
    if (group !== undefined && !first) links.set(group, target)
    report.item(path, existing ? (isChanged ? 'updated' : 'unchanged') : 'restored', 0)
  } catch (error) {
    report.failCall(path, 'cannot create', target, error)
  }
}

const isDevice = (node: SpecialNode): node is DeviceNode => node.type === 'char-device' || node.type === 'block-device'

/** Whether what exists can stay. With other names, which may be anywhere, only if it is the group's. */
function isLike(existing: BigIntStats, node: SpecialNode, target: ByteString, first: ByteString | undefined): boolean {
  if (first) {
    const inode = lstat(first)
    return inode !== undefined && inode.ino === existing.ino && inode.dev === existing.dev
  }
  if (existing.nlink > 1n) return false
  switch (node.type) {
    case 'symlink':
      return existing.isSymbolicLink() && readLink(target) === node.target
    case 'fifo':
      return existing.isFIFO()
    case 'char-device':
      return existing.isCharacterDevice() && hasNumbers(existing, node)
    case 'block-device':
      return existing.isBlockDevice() && hasNumbers(existing, node)
  }
}

const readLink = (target: ByteString): ByteString =>
  toByteString(readlinkSync(fromByteString(target), { encoding: 'buffer' }))

function hasNumbers(existing: BigIntStats, { major, minor }: DeviceNode): boolean {
  const numbers = deviceNumbers(existing.rdev)
  return numbers.major === major && numbers.minor === minor
}

function make(node: SpecialNode, target: ByteString): void {
  if (node.type === 'symlink') symlinkSync(fromByteString(node.target), fromByteString(target))
  else if (node.type === 'fifo') makeFifo(target, 0o600)
  else makeDevice(target, node.type === 'char-device' ? 'char' : 'block', 0o600, node.major, node.minor)
}
