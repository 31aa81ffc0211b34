import type { ByteString } from '../base/bytes.ts'
import type { Progress } from '../base/progress.ts'
import type { Failure } from '../format/snapshot.ts'

export interface RestoreOptions {
  /** A directory, made when it is missing. It may be a symbolic link to one; nothing below it is ever followed. */
  readonly target: string
  /** Part of the snapshot, `/` by default. What is in a directory goes into the target, anything else below it under its name. */
  readonly path?: ByteString
  /** Patterns (see `compilePatterns`) for absolute paths in the snapshot. Given any, nothing else is restored. */
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  /**
   * What happens to existing files. `always` (the default): each chunk is compared and written where it differs;
   * `if-changed`: the same if size or modification time differ; `never`: whatever exists is left alone,
   * but for the metadata of directories.
   */
  readonly overwrite?: OverwriteMode
  /** Deletes what is in the target and not in the snapshot, as far as the patterns select it. */
  readonly deleteExtra?: boolean
  /** Makes holes of zeros in every file, not only in those that had holes. */
  readonly sparse?: boolean
  /** Reads every file back. */
  readonly verify?: boolean
  /** Changes nothing and reports what would be done. */
  readonly dryRun?: boolean
  readonly threads?: number
  readonly progress?: Progress
  readonly signal?: AbortSignal
  /** Hears of everything that could not be restored, by its path in the snapshot. The run goes on. */
  readonly onFailure?: (failure: Failure) => void
  readonly onItem?: (item: RestoredItem) => void
}

export type OverwriteMode = 'always' | 'if-changed' | 'never'

/** Something that is not a directory, unless it was deleted. */
export interface RestoredItem {
  /** In the snapshot; what is deleted is not there, so its path is that in the target. */
  readonly path: ByteString
  readonly action: ItemAction
  readonly size: number
}

export type ItemAction = 'restored' | 'updated' | 'unchanged' | 'skipped' | 'deleted'

/** Files are whatever is not a directory. */
export interface RestoreResult {
  /** Not there before. */
  readonly filesRestored: number
  /** There before, and different. */
  readonly filesUpdated: number
  readonly filesUnchanged: number
  /** Left alone, as `overwrite: 'never'` asks. */
  readonly filesSkipped: number
  /** Directories included. */
  readonly filesDeleted: number
  readonly directories: number
  /** Length of the selected files, hard links counted once. */
  readonly totalBytes: number
  readonly bytesWritten: number
  /** Found in the target already. */
  readonly bytesReused: number
  readonly bytesVerified: number
  readonly failureCount: number
  /** Failures because part of the repository cannot be read. */
  readonly damageCount: number
}
