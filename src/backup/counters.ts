import { setImmediate } from 'node:timers/promises'
import type { ByteString } from '../base/bytes.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import { type Failure, MAX_LISTED_FAILURES, type SnapshotSummary } from '../format/snapshot.ts'
import type { WriteStats } from '../repository/write-session.ts'
import type { BackupOptions } from './archiver.ts'
import type { ItemAction } from './build-tree.ts'
import { type WalkOptions, walkSource } from './walk.ts'

/** Without an earlier snapshot to go by, totals are counted once a run has lasted this long. */
const SCAN_AFTER_MS = 1000
/** The scan must not hold up the backup. */
const EVENTS_PER_TURN = 32

/** Counts what a backup has done, and reports it. */
export class Counters {
  readonly failures: Failure[] = []
  failureCount = 0
  readonly #progress: Progress
  readonly #options: Pick<BackupOptions, 'onFailure' | 'onItem'>
  readonly #startedAt = performance.now()
  readonly #files = { new: 0, changed: 0, unmodified: 0 }
  #directories = 0
  #bytes = 0
  #bytesRead = 0
  #bytesTakenOver = 0
  #totals: { files: number; bytes: number } | undefined
  /** What to count once the parent's totals are passed. */
  #guessed: WalkOptions | undefined
  #scan: { timer: NodeJS.Timeout; stop: AbortController } | undefined

  constructor(options: Pick<BackupOptions, 'onFailure' | 'onItem' | 'progress'>) {
    this.#options = options
    this.#progress = options.progress ?? noProgress
  }

  /** The parent's totals are the best guess that costs nothing. */
  expect(parent: SnapshotSummary | undefined): void {
    if (parent) this.#totals = { files: parent.totalFiles, bytes: parent.totalBytes }
  }

  /** Counts the source in the background if the run turns out to be long, and there is no guess or it turns out too small. */
  scanLater(walk: WalkOptions): void {
    if (this.#progress === noProgress) return
    if (this.#totals) this.#guessed = walk
    else this.#startScan(walk, SCAN_AFTER_MS)
  }

  #startScan(walk: WalkOptions, afterMs: number): void {
    const stop = new AbortController()
    const scan = async (): Promise<void> => {
      const totals = { files: 0, bytes: 0 }
      let events = 0
      for (const event of walkSource({ ...walk, onError: () => {}, onLeftOut: () => {}, onEmptied: () => {} })) {
        if (++events % EVENTS_PER_TURN === 0) await setImmediate()
        if (stop.signal.aborted) return
        if (event.type !== 'entry' || !event.stats.isFile()) continue
        totals.files++
        totals.bytes += Number(event.stats.size)
      }
      this.#totals = totals
    }
    const timer = setTimeout(() => scan().catch(() => {}), afterMs) // a guess that fails is no loss
    this.#scan = { timer, stop }
  }

  stop(): void {
    clearTimeout(this.#scan?.timer)
    this.#scan?.stop.abort()
  }

  read(bytes: number): void {
    this.#bytesRead += bytes
    this.#report()
  }

  takenOver(bytes: number): void {
    this.#bytesTakenOver += bytes
  }

  file(path: ByteString, action: ItemAction, size: number): void {
    this.#files[action]++
    this.#bytes += size
    this.#options.onItem?.({ path, action, size })
    this.#report()
  }

  directory(): void {
    this.#directories++
  }

  fail(failure: Failure): void {
    this.failureCount++
    if (this.failures.length < MAX_LISTED_FAILURES) this.failures.push(failure)
    this.#options.onFailure?.(failure)
  }

  summary(stats: WriteStats): SnapshotSummary {
    return {
      filesNew: this.#files.new,
      filesChanged: this.#files.changed,
      filesUnmodified: this.#files.unmodified,
      directories: this.#directories,
      totalFiles: this.#fileCount,
      totalBytes: this.#bytes,
      bytesRead: this.#bytesRead,
      bytesTakenOver: this.#bytesTakenOver || undefined,
      bytesAdded: stats.bytesAdded,
      bytesStored: stats.bytesStored,
      chunksAdded: stats.chunksAdded,
      durationMs: Math.round(performance.now() - this.#startedAt),
    }
  }

  get #fileCount(): number {
    return this.#files.new + this.#files.changed + this.#files.unmodified
  }

  #report(): void {
    if (this.#progress === noProgress) return
    if (this.#guessed && this.#totals && this.#bytes > this.#totals.bytes) {
      this.#startScan(this.#guessed, 0)
      this.#guessed = undefined
    }
    const totals = this.#totals && {
      totalFiles: Math.max(this.#totals.files, this.#fileCount),
      totalBytes: Math.max(this.#totals.bytes, this.#bytes),
    }
    this.#progress({
      phase: 'backing up',
      filesDone: this.#fileCount,
      bytesDone: Math.max(this.#bytes, this.#bytesRead),
      errorCount: this.failureCount,
      ...totals,
    })
  }
}
