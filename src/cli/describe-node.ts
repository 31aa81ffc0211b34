import { basename } from 'node:path/posix'
import { type ByteString, displayBytes } from '../base/bytes.ts'
import { formatTime } from '../base/local-time.ts'
import type { Entry } from '../browse/entries.ts'
import type { Node } from '../format/node.ts'
import { pathField } from './output.ts'
import { isoTimeNs } from './times.ts'

/** restic's names of the types. */
const JSON_TYPES = {
  file: 'file',
  directory: 'dir',
  symlink: 'symlink',
  fifo: 'fifo',
  'char-device': 'chardev',
  'block-device': 'dev',
} as const satisfies Record<Node['type'], string>

const TYPE_LETTERS = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  fifo: 'p',
  'char-device': 'c',
  'block-device': 'b',
} as const satisfies Record<Node['type'], string>

/** An entry as JSON, with restic's field names. */
export function entryToJson({ path, node }: Entry): Record<string, unknown> {
  const name = pathField(basename(path) as ByteString)
  const target = node.type === 'symlink' ? pathField(node.target) : undefined
  return {
    name: name.path,
    name_bytes: name.path_bytes,
    type: JSON_TYPES[node.type],
    ...pathField(path),
    uid: node.uid,
    gid: node.gid,
    user: node.user,
    group: node.group,
    size: node.type === 'file' ? node.size : undefined,
    mode: node.mode,
    permissions: permissionsOf(node),
    mtime: node.mtimeNs === undefined ? undefined : isoTimeNs(node.mtimeNs),
    linktarget: target?.path,
    linktarget_bytes: target?.path_bytes,
  }
}

/** A line as of `ls -l`. */
export function formatLong({ path, node }: Entry): string {
  const owner = `${(node.user ?? String(node.uid)).padEnd(8)} ${(node.group ?? String(node.gid)).padEnd(8)}`
  const size =
    node.type === 'file'
      ? String(node.size)
      : node.type === 'char-device' || node.type === 'block-device'
        ? `${node.major}, ${node.minor}`
        : ''
  const time = node.mtimeNs === undefined ? ''.padEnd(19) : formatTime(Number(node.mtimeNs / 1_000_000n))
  const target = node.type === 'symlink' ? ` -> ${displayBytes(node.target)}` : ''
  return `${permissionsOf(node)} ${owner} ${size.padStart(14)} ${time} ${displayBytes(path)}${target}`
}

/** `-rwxr-xr-x`, with setuid, setgid and sticky as `ls` shows them. */
function permissionsOf(node: Node): string {
  const triple = (shift: number, special: boolean, letter: string): string => {
    const bits = (node.mode >> shift) & 7
    const execute = special ? (bits & 1 ? letter : letter.toUpperCase()) : bits & 1 ? 'x' : '-'
    return `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${execute}`
  }
  const { mode } = node
  const triples =
    triple(6, (mode & 0o4000) !== 0, 's') +
    triple(3, (mode & 0o2000) !== 0, 's') +
    triple(0, (mode & 0o1000) !== 0, 't')
  return TYPE_LETTERS[node.type] + triples
}
