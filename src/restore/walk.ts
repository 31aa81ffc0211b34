import { setImmediate } from 'node:timers/promises'
import { type ByteString, displayBytes, joinPath } from '../base/bytes.ts'
import { ChainkeepError, throwIfInterrupted } from '../base/errors.ts'
import type { ObjectId } from '../base/ids.ts'
import { type DirectoryNode, isSafeName, type Node } from '../format/node.ts'
import type { LoadObject } from '../repository/lists.ts'
import { findNode, walkTree } from '../repository/trees.ts'
import type { Selection } from './selection.ts'

/** What is to be restored. */
export interface RestoreSource {
  /** Of the directory whose content goes into the target. */
  readonly path: ByteString
  /** Its node, unless it is the root of the snapshot. */
  readonly node?: DirectoryNode
  readonly listing: ObjectId | SingleNode
}
/** One thing in that directory, rather than all of it. */
interface SingleNode {
  readonly only: Node
}

/** What the walk comes by, depth first, each directory's names in bytewise order. Paths are those in the snapshot. */
export type SnapshotEvent =
  /** A directory that is selected or may hold what is. The first is the source's, called by the empty name. */
  | {
      readonly type: 'enter'
      readonly path: ByteString
      readonly name: ByteString
      readonly node?: DirectoryNode
      readonly isSelected: boolean
      /** Whether all its names will be told. */
      readonly isWhole: boolean
    }
  /** `isUsed`: it or something in it was selected. `isComplete`: all its names were told. */
  | { readonly type: 'leave'; readonly path: ByteString; readonly isUsed: boolean; readonly isComplete: boolean }
  /** Anything else; a directory if it is not entered. */
  | {
      readonly type: 'entry'
      readonly path: ByteString
      readonly name: ByteString
      readonly node: Node
      readonly isSelected: boolean
    }
  /** The rest of this directory's listing cannot be read. */
  | { readonly type: 'damage'; readonly path: ByteString; readonly error: ChainkeepError }

/** Rejects NOT_FOUND, or what loading a tree rejects. */
export async function findSource(load: LoadObject, root: ObjectId, path: ByteString): Promise<RestoreSource> {
  const names = path.split('/').filter((name) => name !== '')
  if (names.length === 0) return { path: '/' as ByteString, listing: root }
  const whole = `/${names.join('/')}` as ByteString
  const node = await findNode(load, root, whole)
  if (!node)
    throw new ChainkeepError('NOT_FOUND', `there is no ${displayBytes(whole)} in the snapshot`, { path: whole })
  if (node.type === 'directory') return { path: whole, node, listing: node.tree }
  return { path: `/${names.slice(0, -1).join('/')}` as ByteString, listing: { only: node } }
}

/** Entries between two turns of the event loop, so that signals and finished work are heard of. */
const ENTRIES_PER_TURN = 128

/**
 * Walks what is selected of the source. Memory: one leaf of a tree for each directory on the current path. A name that could
 * lead elsewhere, or that comes twice, ends its directory as damage: a tree is read by parts, and each part may be hostile.
 */
export async function* walkSelected(
  load: LoadObject,
  source: RestoreSource,
  selection: Selection,
  signal?: AbortSignal,
): AsyncGenerator<SnapshotEvent, void, undefined> {
  const isWhole = typeof source.listing === 'string'
  const nodes = typeof source.listing === 'string' ? walkTree(load, source.listing) : single(source.listing)
  const isSelected = isWhole && selection.isSelected(source.path, true)
  const stack: Frame[] = [{ path: source.path, nodes, isUsed: isSelected }]
  yield { type: 'enter', path: source.path, name: '' as ByteString, node: source.node, isSelected, isWhole }
  for (let entries = 0; stack.length > 0; ) {
    if (++entries % ENTRIES_PER_TURN === 0) await setImmediate()
    throwIfInterrupted(signal)
    const frame = stack.at(-1)!
    const node = await nextNode(frame)
    if (node === undefined || node instanceof ChainkeepError) {
      stack.pop()
      if (node) yield { type: 'damage', path: frame.path, error: node }
      yield { type: 'leave', path: frame.path, isUsed: frame.isUsed, isComplete: node === undefined }
      if (frame.isUsed && stack.length > 0) stack.at(-1)!.isUsed = true
      continue
    }
    const path = joinPath(frame.path, node.name)
    const isSelected = selection.isSelected(path, node.type === 'directory')
    if (node.type === 'directory' && (isSelected || selection.mayHoldSelected(path))) {
      stack.push({ path, nodes: walkTree(load, node.tree), isUsed: isSelected })
      yield { type: 'enter', path, name: node.name, node, isSelected, isWhole: true }
      continue
    }
    if (isSelected) frame.isUsed = true
    yield { type: 'entry', path, name: node.name, node, isSelected }
  }
}

interface Frame {
  readonly path: ByteString
  readonly nodes: AsyncGenerator<Node, void, undefined>
  isUsed: boolean
  lastName?: ByteString
}

async function* single({ only }: SingleNode): AsyncGenerator<Node, void, undefined> {
  yield only
}

/** The next node, `undefined` at the end, or why there is none. Rejects what is no damage. */
async function nextNode(frame: Frame): Promise<Node | undefined | ChainkeepError> {
  try {
    const { value: node } = await frame.nodes.next()
    if (!node) return undefined
    if (!isSafeName(node.name) || (frame.lastName !== undefined && node.name <= frame.lastName))
      return new ChainkeepError('CORRUPT', `the name ${displayBytes(node.name)} cannot stand there in a directory`)
    frame.lastName = node.name
    return node
  } catch (error) {
    return requireDamage(error)
  }
}

/** An error of reading the repository that spoils some files, but not the run; any other is thrown on. */
export function requireDamage(error: unknown): ChainkeepError {
  if (error instanceof ChainkeepError && error.code !== 'INTERRUPTED' && error.code !== 'NO_SPACE') return error
  throw error
}
