import { displayBytes } from '../base/bytes.ts'
import { shortId } from '../base/ids.ts'
import { formatTime } from '../base/local-time.ts'
import type { Snapshot } from '../format/snapshot.ts'
import type { GroupKey } from '../maintain/forget-policy.ts'
import type { StoredSnapshot } from '../repository/snapshots.ts'
import { pathField } from './output.ts'
import { shortenPath } from './shorten-path.ts'
import { formatSize } from './sizes.ts'
import type { Column } from './table.ts'

/** A snapshot as JSON, with restic's field names. */
export function snapshotToJson({ id, snapshot }: StoredSnapshot): Record<string, unknown> {
  const paths = snapshot.paths.map(pathField)
  return {
    time: new Date(snapshot.timeMs).toISOString(),
    kind: snapshot.kind,
    parent: snapshot.parent,
    tree: snapshot.tree,
    paths: paths.map(({ path }) => path),
    paths_bytes: paths.some(({ path_bytes }) => path_bytes !== undefined)
      ? snapshot.paths.map((path) => Buffer.from(path, 'latin1').toString('base64'))
      : undefined,
    hostname: snapshot.host,
    username: snapshot.user,
    tags: snapshot.tags.length > 0 ? snapshot.tags : undefined,
    excludes: snapshot.excludes.length > 0 ? snapshot.excludes : undefined,
    program_version: snapshot.program,
    original: snapshot.original,
    failure_count: snapshot.failureCount || undefined,
    summary: summaryToJson(snapshot),
    id,
    short_id: shortId(id),
  }
}

/** What a backup did, with restic's field names. */
export function summaryToJson({ summary, timeMs }: Snapshot): Record<string, unknown> {
  return {
    backup_start: new Date(timeMs).toISOString(),
    backup_end: new Date(timeMs + summary.durationMs).toISOString(),
    files_new: summary.filesNew,
    files_changed: summary.filesChanged,
    files_unmodified: summary.filesUnmodified,
    dirs_total: summary.directories,
    data_blobs: summary.chunksAdded,
    bytes_read: summary.bytesRead,
    bytes_taken_over: summary.bytesTakenOver ?? 0,
    data_added: summary.bytesAdded,
    data_added_packed: summary.bytesStored,
    total_files_processed: summary.totalFiles,
    total_bytes_processed: summary.totalBytes,
  }
}

/** What a table leaves out that its heading, or nobody, asks for. */
type Omissible = GroupKey | 'kind'

/** The columns of every table of snapshots; `extra` ones stand after the size. */
export function snapshotColumns<Row extends StoredSnapshot>({
  omit = [],
  extra = [],
}: {
  readonly omit?: readonly Omissible[]
  readonly extra?: readonly Column<Row>[]
} = {}): Column<Row>[] {
  const unless = (name: Omissible, column: Column<Row>): Column<Row>[] => (omit.includes(name) ? [] : [column])
  return [
    { title: 'ID', value: ({ id }) => shortId(id) },
    { title: 'Time', value: ({ snapshot }) => formatTime(snapshot.timeMs) },
    ...unless('kind', { title: 'Kind', value: ({ snapshot }) => snapshot.kind }),
    ...unless('host', { title: 'Host', value: ({ snapshot }) => snapshot.host }),
    ...unless('tags', { title: 'Tags', value: ({ snapshot }) => snapshot.tags, optional: true }),
    { title: 'Size', value: ({ snapshot }) => formatSize(snapshot.summary.totalBytes), align: 'right' },
    ...extra,
    { title: 'Missing', value: ({ snapshot }) => String(snapshot.failureCount || ''), align: 'right', optional: true },
    ...unless('paths', {
      title: 'Paths',
      value: ({ snapshot }) => snapshot.paths.map(displayBytes),
      shorten: shortenPath,
    }),
  ]
}

export const countOf = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`
