import { measure, type RepositoryStats } from '../../browse/stats.ts'
import { groupSnapshots } from '../../maintain/forget-policy.ts'
import type { StoredSnapshot } from '../../repository/snapshots.ts'
import { defineVerb, type Verb } from '../command.ts'
import { snapshotColumns } from '../describe-snapshot.ts'
import { EXIT } from '../exit-codes.ts'
import { tableColumns } from '../io.ts'
import { type FilterValues, filterOf, filterOptions, selectSnapshots } from '../select-snapshots.ts'
import { formatCount, formatRatio, formatSize } from '../sizes.ts'
import { renderPairs, renderTable } from '../table.ts'

export const stats: Verb = defineVerb<FilterValues>({
  description: `Tells what the snapshots take: their files' bytes, what is left of them after deduplication and after compression, and what each alone holds: forgetting that one would free it.`,
  arguments: [['[id...]', 'only these snapshots; what is "only in" one is then seen among them']],
  options: filterOptions(),
  examples: [
    ['chainkeep stats', 'of all snapshots'],
    ['chainkeep stats latest', 'of the latest one'],
    ['chainkeep stats --host db1 --json', 'of one host, for a program'],
  ],
  exitCodes: [10],
  async run({ io, output, openToRead }, options, ids) {
    await using repository = await openToRead()
    const snapshots = await selectSnapshots(repository, ids, filterOf(io, options))
    const measured = await measure(repository, snapshots, { progress: output.progress, signal: io.signal })
    output.json(toJson(measured))
    for (const line of renderPairs(toPairs(measured))) output.print(line)
    if (snapshots.length === 0) return EXIT.done
    output.print()
    const rows = joinRows(snapshots, measured)
    for (const line of renderTable(columns(snapshots), rows, tableColumns(io.stdout))) output.print(line)
    return EXIT.done
  },
})

type Row = StoredSnapshot & RepositoryStats['snapshots'][number]

function joinRows(snapshots: readonly StoredSnapshot[], measured: RepositoryStats): Row[] {
  return snapshots.map((stored, i) => ({ ...measured.snapshots[i]!, ...stored }))
}

/** Host and paths only where they tell snapshots apart. */
function columns(snapshots: readonly StoredSnapshot[]): ReturnType<typeof snapshotColumns<Row>> {
  const same = (['host', 'paths'] as const).filter((key) => groupSnapshots(snapshots, [key]).length === 1)
  return snapshotColumns<Row>({
    omit: ['kind', 'tags', ...same],
    extra: [
      { title: 'Files', value: ({ files }) => formatCount(files), align: 'right' },
      { title: 'Only in it', value: ({ exclusiveBytes }) => formatSize(exclusiveBytes), align: 'right' },
      { title: 'Alone frees', value: ({ exclusiveStoredBytes }) => formatSize(exclusiveStoredBytes), align: 'right' },
    ],
  })
}

function toPairs(measured: RepositoryStats): (readonly [string, string])[] {
  const { logicalBytes, uniqueBytes, uniqueStoredBytes } = measured
  return [
    ['Snapshots', formatCount(measured.snapshots.length)],
    ['Logical size', `${formatSize(logicalBytes)} in ${formatCount(measured.files)} files`],
    ['Unique size', `${formatSize(uniqueBytes)} in ${formatCount(measured.chunks)} chunks`],
    ['Compressed', formatSize(uniqueStoredBytes)],
    ['Metadata', `${formatSize(measured.metadataStoredBytes)} in ${formatCount(measured.metadataObjects)} objects`],
    [
      'Stored size',
      `${formatSize(measured.storedBytes)} in ${formatCount(measured.packs)} packs, unused objects included`,
    ],
    ...(measured.parityBytes > 0 ? [['Parity', formatSize(measured.parityBytes)] as const] : []),
    ['Deduplication', formatRatio(uniqueBytes, logicalBytes)],
    ['Compression', formatRatio(uniqueStoredBytes, uniqueBytes)],
    ['Total', formatRatio(uniqueStoredBytes, logicalBytes)],
  ]
}

function toJson(measured: RepositoryStats): Record<string, unknown> {
  const { logicalBytes, uniqueBytes, uniqueStoredBytes } = measured
  return {
    message_type: 'stats',
    snapshots_count: measured.snapshots.length,
    total_size: logicalBytes,
    total_file_count: measured.files,
    total_uncompressed_size: uniqueBytes,
    total_compressed_size: uniqueStoredBytes,
    total_blob_count: measured.chunks,
    metadata_objects: measured.metadataObjects,
    metadata_size: measured.metadataStoredBytes,
    pack_count: measured.packs,
    stored_size: measured.storedBytes,
    parity_size: measured.parityBytes,
    deduplication_ratio: uniqueBytes > 0 ? logicalBytes / uniqueBytes : undefined,
    compression_ratio: uniqueStoredBytes > 0 ? uniqueBytes / uniqueStoredBytes : undefined,
    snapshots: measured.snapshots.map((each) => ({
      id: each.id,
      total_size: each.logicalBytes,
      total_file_count: each.files,
      exclusive_size: each.exclusiveBytes,
      exclusive_stored_size: each.exclusiveStoredBytes,
    })),
  }
}
