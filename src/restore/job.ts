import type { Repository } from '../repository/repository.ts'
import type { WorkerPool } from '../worker/pool.ts'
import type { SharedBuffers } from '../worker/shared-buffers.ts'
import type { Ownership } from './metadata.ts'
import type { RestoreOptions } from './options.ts'
import type { Report } from './report.ts'
import type { Selection } from './selection.ts'
import type { Target } from './target.ts'
import type { RestoreSource } from './walk.ts'

/** What the steps of one restore share. */
export interface RestoreJob {
  readonly repository: Repository
  readonly source: RestoreSource
  readonly selection: Selection
  readonly target: Target
  readonly options: RestoreOptions
  readonly ownership: Ownership
  readonly report: Report
  readonly pool: WorkerPool
  /** For what is read of packs. */
  readonly buffers: SharedBuffers
  /** Paths in the snapshot that could not be read for it: what the target has there is no leftover. */
  readonly unread: ReadonlySet<string>
}
