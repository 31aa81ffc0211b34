/** What long work has done so far. Totals are absent until they are known, and may grow. */
export interface ProgressState {
  /** What is going on, for people: `backing up`, `reading packs` … */
  readonly phase: string
  /** What `filesDone` and `totalFiles` count; default: files. */
  readonly unit?: 'files' | 'packs' | 'snapshots'
  readonly filesDone?: number
  readonly totalFiles?: number
  readonly bytesDone?: number
  readonly totalBytes?: number
  readonly errorCount?: number
  /** What is being worked on, for people. */
  readonly current?: string
}

/** Where long work reports. Called often; the receiver decides when to print. Never throws. */
export type Progress = (state: ProgressState) => void

export const noProgress: Progress = () => {}
