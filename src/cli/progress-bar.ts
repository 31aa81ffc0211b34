import type { ProgressState } from '../base/progress.ts'
import { formatCount, formatSize } from './sizes.ts'
import { displayWidth } from './table.ts'
import { formatElapsed } from './times.ts'

/** One line for people, at most `columns` wide: what is known, the most useful first, since the end may be cut off. */
export function formatProgress(reported: ProgressState, elapsedMs: number, columns: number): string {
  const state = withoutPassedTotals(reported)
  const { phase, unit = 'files', filesDone, totalFiles, bytesDone, totalBytes, errorCount, current } = state
  const share = shareDone(state)
  const remainingMs = estimateRemainingMs(state, elapsedMs)
  const parts = [
    `[${formatElapsed(elapsedMs)}] ${phase}`,
    share !== undefined && `${(share * 100).toFixed(1)}%`,
    remainingMs !== undefined && `ETA ${formatElapsed(remainingMs)}`,
    bytesDone && elapsedMs > 0 && `${formatSize(Math.round(bytesDone / (elapsedMs / 1000)))}/s`,
    bytesDone !== undefined && outOf(formatSize(bytesDone), totalBytes && formatSize(totalBytes)),
    filesDone && `${outOf(formatCount(filesDone), totalFiles && formatCount(totalFiles))} ${unit}`,
    errorCount && `${errorCount} ${errorCount === 1 ? 'error' : 'errors'}`,
    current,
  ]
  return truncate(parts.filter((part) => part).join('  '), columns)
}

/** The same for programs, with restic's field names. */
export function statusMessage(reported: ProgressState, elapsedMs: number): Record<string, unknown> {
  const state = withoutPassedTotals(reported)
  const remainingMs = estimateRemainingMs(state, elapsedMs)
  return {
    message_type: 'status',
    phase: state.phase,
    unit: state.unit,
    seconds_elapsed: Math.round(elapsedMs / 1000),
    seconds_remaining: remainingMs === undefined ? undefined : Math.round(remainingMs / 1000),
    percent_done: shareDone(state),
    total_files: state.totalFiles,
    files_done: state.filesDone,
    total_bytes: state.totalBytes,
    bytes_done: state.bytesDone,
    error_count: state.errorCount || undefined,
    current_files: state.current === undefined ? undefined : [state.current],
  }
}

/** Totals are guesses at times, such as the size of the last backup: one that is passed was wrong, and tells nothing more. */
function withoutPassedTotals(state: ProgressState): ProgressState {
  const { filesDone = 0, totalFiles = filesDone, bytesDone = 0, totalBytes = bytesDone } = state
  const isPassed = filesDone > totalFiles || bytesDone > totalBytes
  return isPassed ? { ...state, totalFiles: undefined, totalBytes: undefined } : state
}

/** From 0 to 1, of bytes where their total is known, else of files. `undefined` without totals. */
function shareDone({ bytesDone = 0, totalBytes, filesDone = 0, totalFiles }: ProgressState): number | undefined {
  if (totalBytes) return bytesDone / totalBytes
  return totalFiles ? filesDone / totalFiles : undefined
}

/** Assumes that what is left goes as fast as what is done. */
function estimateRemainingMs(state: ProgressState, elapsedMs: number): number | undefined {
  const share = shareDone(state)
  return share ? (elapsedMs * (1 - share)) / share : undefined
}

const outOf = (done: string, total: string | number | undefined): string => (total ? `${done} / ${total}` : done)

function truncate(line: string, columns: number): string {
  if (displayWidth(line) <= columns) return line
  let cut = ''
  let width = 0
  for (const char of line) {
    width += displayWidth(char)
    if (width > columns - 1) break
    cut += char
  }
  return `${cut}…`
}
