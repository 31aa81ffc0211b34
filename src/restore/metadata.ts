import { type BigIntStats, chmodSync, lchownSync, lstatSync } from 'node:fs'
import { type ByteString, bufferView, displayBytes, fromByteString } from '../base/bytes.ts'
import type { Attribute, Node } from '../format/node.ts'
import type { Accounts } from '../native/accounts.ts'
import { listAttributes, removeAttribute, setAttribute } from '../native/extended-attributes.ts'
import { setModifiedTime } from '../native/posix.ts'

/** Who restores, and whom he knows. */
export interface Ownership {
  /** Only root can give files away; anybody else keeps them as his own. */
  readonly isRoot: boolean
  readonly accounts: Accounts
}

/** What of a node is not content, in the form of this system. */
export interface Metadata {
  readonly uid?: number
  readonly gid?: number
  /** Absent for a symbolic link, which has none. */
  readonly mode?: number
  readonly mtimeNs?: bigint
  /** Absent if they are not known: then those that are there stay. */
  readonly attributes?: readonly Attribute[]
}

/** Accounts that exist here are meant by name, so that the same user may have another number here; all others by number. */
export function metadataOf(
  node: Node,
  attributes: readonly Attribute[] | undefined,
  { isRoot, accounts }: Ownership,
): Metadata {
  return {
    uid: isRoot ? (idOf(node.user, accounts.userId) ?? node.uid) : undefined,
    gid: isRoot ? (idOf(node.group, accounts.groupId) ?? node.gid) : undefined,
    mode: node.type === 'symlink' ? undefined : node.mode,
    mtimeNs: node.mtimeNs,
    attributes,
  }
}

const idOf = (name: string | undefined, look: (name: string) => number | undefined): number | undefined =>
  name === undefined ? undefined : look(name)

/**
 * Gives `path`, which must not be replaced meanwhile, its metadata, with as few calls as it takes. Answers whether anything
 * changed. `onError` hears of each call that failed; the others are made all the same.
 */
export function applyMetadata(
  path: ByteString,
  metadata: Metadata,
  onError: (what: string, error: unknown) => void,
): boolean {
  const before = lstatSync(fromByteString(path), { bigint: true })
  let isChanged = false
  const attempt = (what: string, call: () => void): void => {
    try {
      call()
      isChanged = true
    } catch (error) {
      onError(what, error)
    }
  }
  const { uid = Number(before.uid), gid = Number(before.gid), mode, mtimeNs } = metadata
  // This order, since chown drops the set-user-id bit and capabilities, and a file that cannot be written takes no attributes.
  if (uid !== Number(before.uid) || gid !== Number(before.gid))
    attempt('cannot change the owner of', () => lchownSync(fromByteString(path), uid, gid))
  if (metadata.attributes) applyAttributes(path, metadata.attributes, attempt, onError)
  if (mode !== undefined && (isChanged || mode !== modeOf(before)))
    attempt('cannot change the mode of', () => chmodSync(fromByteString(path), mode))
  if (mtimeNs !== undefined && mtimeNs !== before.mtimeNs)
    attempt('cannot set the time of', () => setModifiedTime(path, mtimeNs))
  return isChanged
}

/** Whether `applyMetadata` would change nothing. */
export function hasMetadata(path: ByteString, stats: BigIntStats, metadata: Metadata): boolean {
  const { uid = Number(stats.uid), gid = Number(stats.gid), mode = modeOf(stats), mtimeNs = stats.mtimeNs } = metadata
  if (uid !== Number(stats.uid) || gid !== Number(stats.gid)) return false
  if (mode !== modeOf(stats) || mtimeNs !== stats.mtimeNs) return false
  const { attributes = [] } = metadata
  const existing = listAttributes(path, () => {})
  return (
    existing.every(({ name }) => isLabel(name) || attributes.some((wanted) => wanted.name === name)) &&
    attributes.every((wanted) => existing.some((attribute) => isSameAttribute(attribute, wanted)))
  )
}

const modeOf = (stats: BigIntStats): number => Number(stats.mode & 0o7777n)

const isSameAttribute = (a: Attribute, b: Attribute): boolean =>
  a.name === b.name && bufferView(a.value).equals(b.value)

function applyAttributes(
  path: ByteString,
  wanted: readonly Attribute[],
  attempt: (what: string, call: () => void) => void,
  onError: (what: string, error: unknown) => void,
): void {
  let existing: readonly Attribute[] = []
  try {
    existing = listAttributes(path, () => {})
  } catch (error) {
    onError('cannot list the extended attributes of', error)
  }
  for (const { name } of existing)
    if (!isLabel(name) && !wanted.some((attribute) => attribute.name === name))
      attempt(`cannot remove the extended attribute ${displayBytes(name)} of`, () => removeAttribute(path, name))
  for (const attribute of wanted)
    if (!existing.some((each) => isSameAttribute(each, attribute)))
      attempt(`cannot set the extended attribute ${displayBytes(attribute.name)} of`, () =>
        setAttribute(path, attribute.name, attribute.value),
      )
}

/** Whether the kernel itself gives files this attribute: then it is not the snapshot's to take away. */
const isLabel = (name: ByteString): boolean => name.startsWith('security.') && name !== 'security.capability'
