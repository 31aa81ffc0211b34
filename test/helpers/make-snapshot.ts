import { parseObjectId } from '../../src/base/ids.ts'
import type { Snapshot } from '../../src/format/snapshot.ts'

/** A snapshot of nothing in particular, with these fields. */
export function makeSnapshot(fields: Partial<Snapshot> = {}): Snapshot {
  return {
    version: 1,
    timeMs: 1_700_000_000_000,
    kind: 'full',
    tree: parseObjectId('ab'.repeat(32)),
    paths: [],
    host: 'test-host',
    tags: [],
    excludes: [],
    program: 'chainkeep test',
    summary: {
      filesNew: 0,
      filesChanged: 0,
      filesUnmodified: 0,
      directories: 0,
      totalFiles: 0,
      totalBytes: 0,
      bytesRead: 0,
      bytesAdded: 0,
      bytesStored: 0,
      chunksAdded: 0,
      durationMs: 0,
    },
    failures: [],
    failureCount: 0,
    ...fields,
  }
}
