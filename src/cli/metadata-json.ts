import { ID_BYTES, type ObjectId, objectIdAt } from '../base/ids.ts'
import type { List } from '../format/list.ts'
import type { Node } from '../format/node.ts'
import type { Tree } from '../format/tree.ts'
import type { IndexedPack } from '../repository/object-index.ts'
import type { StoredSnapshot } from '../repository/snapshots.ts'
import { entryToJson } from './describe-node.ts'
import { snapshotToJson } from './describe-snapshot.ts'
import { pathField } from './output.ts'

/** What `cat` prints: the stored metadata as it is, but for bytes, which JSON lacks. */
export function manifestToJson(stored: StoredSnapshot): Record<string, unknown> {
  const failures = stored.snapshot.failures.map(({ path, reason }) => ({ ...pathField(path), reason }))
  return { ...snapshotToJson(stored), failures: failures.length > 0 ? failures : undefined }
}

export function treeToJson(id: ObjectId, tree: Tree): Record<string, unknown> {
  if ('nodes' in tree) return { id, height: tree.height, nodes: tree.nodes.map(nodeToJson) }
  const children = tree.children.map(({ firstName, id: child, count }) => {
    const { path, path_bytes } = pathField(firstName)
    return { first_name: path, first_name_bytes: path_bytes, id: child, count }
  })
  return { id, height: tree.height, children }
}

export function listToJson(id: ObjectId, { height, ids, lengths }: List): Record<string, unknown> {
  return { id, height, entries: lengths.map((length, i) => ({ id: objectIdAt(ids, i * ID_BYTES), length })) }
}

export function packToJson({ id, packClass, bytes, objects }: IndexedPack): Record<string, unknown> {
  return { id, pack_class: packClass, bytes, objects }
}

function nodeToJson(node: Node): Record<string, unknown> {
  const { path: _path, path_bytes: _pathBytes, ...fields } = entryToJson({ path: node.name, node })
  return {
    ...fields,
    link_group: node.linkGroup,
    attributes: typeof node.attributes === 'string' ? node.attributes : node.attributes?.map(attributeToJson),
    content: node.type === 'file' ? node.content : undefined,
    sparse: node.type === 'file' ? node.sparse : undefined,
    torn: node.type === 'file' ? node.torn : undefined,
    tree: node.type === 'directory' ? node.tree : undefined,
  }
}

function attributeToJson({ name, value }: { name: string; value: Uint8Array }): Record<string, unknown> {
  return { name: pathField(name as Node['name']).path, value_bytes: Buffer.from(value).toString('base64') }
}
