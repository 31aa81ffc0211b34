import { mkdtempSync, rmdirSync } from 'node:fs'
import { type ByteString, displayBytes } from '../base/bytes.ts'
import { ChainkeepError, errnoOf, fileError } from '../base/errors.ts'
import { noProgress } from '../base/progress.ts'
import type { ItemAction, RestoreOptions, RestoreResult } from './options.ts'

/** Counts what happens and tells whoever wants to hear, and decides which failures end the run. */
export class Report {
  readonly #options: RestoreOptions
  readonly #root: ByteString
  readonly #counts = {
    filesRestored: 0,
    filesUpdated: 0,
    filesUnchanged: 0,
    filesSkipped: 0,
    filesDeleted: 0,
    directories: 0,
    totalBytes: 0,
    bytesWritten: 0,
    bytesReused: 0,
    bytesVerified: 0,
    failureCount: 0,
    damageCount: 0,
  }
  #expected: { readonly files: number; readonly bytes: number } | undefined
  #phase: 'restoring' | 'verifying' = 'restoring'
  #filesDone = 0
  #bytesDone = 0

  /** `root`: the target's real path. */
  constructor(options: RestoreOptions, root: ByteString) {
    this.#options = options
    this.#root = root
  }

  get result(): RestoreResult {
    return { ...this.#counts }
  }

  /** What there will be to do. */
  expect(files: number, bytes: number): void {
    this.#expected = { files, bytes }
  }

  get expectedBytes(): number {
    return this.#expected?.bytes ?? 0
  }

  /** What is told of from now on. */
  begin(phase: 'restoring' | 'verifying'): void {
    this.#phase = phase
  }

  add(count: keyof RestoreResult, by: number): void {
    this.#counts[count] += by
  }

  item(path: ByteString, action: ItemAction, size: number): void {
    this.#counts[ITEM_COUNTS[action]]++
    if (action !== 'deleted') this.#filesDone++
    this.#options.onItem?.({ path, action, size })
    this.#tell(path)
  }

  /** Bytes of files that are where they belong, or that have failed. */
  advance(bytes: number, path?: ByteString): void {
    this.#bytesDone += bytes
    this.#tell(path)
  }

  /** Bytes of a file that were read back. */
  verified(bytes: number, path: ByteString): void {
    this.#counts.bytesVerified += bytes
    this.#tell(path)
  }

  /** Something of `path` could not be restored, because of the repository or of anything else; the rest goes on. */
  fail(path: ByteString, reason: string, isDamage = false): void {
    this.#counts.failureCount++
    if (isDamage) this.#counts.damageCount++
    this.#options.onFailure?.({ path, reason })
  }

  /**
   * The same for a call on `target`, such as `cannot create`, that failed. A full disk ends the run, and so does a target
   * that nothing can be written to.
   */
  failCall(path: ByteString, what: string, target: ByteString, error: unknown): void {
    const isExpected = error instanceof ChainkeepError ? error.code !== 'INTERRUPTED' : errnoOf(error) !== undefined
    if (!isExpected) throw error
    const problem = fileError(`${what} ${displayBytes(target)}`, error)
    if (problem.code === 'NO_SPACE') throw this.diskFull(problem)
    if (problem.code === 'DENIED') this.#requireWritable(target)
    this.fail(path, problem.message)
  }

  diskFull(cause?: unknown): ChainkeepError {
    const missingBytes = Math.max(0, (this.#expected?.bytes ?? 0) - this.#bytesDone)
    const free = missingBytes > 0 ? `free up to ${Math.ceil(missingBytes / 2 ** 20)} MiB` : 'make room'
    return new ChainkeepError(
      'NO_SPACE',
      `the disk of ${this.#options.target} is full: ${free} and run the same command again; what is there will be reused`,
      { target: this.#options.target, missingBytes },
      cause,
    )
  }

  /** If the target itself takes no new names, everything else would fail the same way. */
  #requireWritable(target: ByteString): void {
    if ((target.slice(0, target.lastIndexOf('/')) || '/') !== this.#root) return
    try {
      rmdirSync(mkdtempSync(`${this.#options.target}/.chainkeep-`)) // access(2) asks for the real user, not the effective one
    } catch (error) {
      throw fileError(`cannot write to ${this.#options.target}`, error, { target: this.#options.target })
    }
  }

  #tell(path?: ByteString): void {
    const { progress = noProgress } = this.#options
    const expected = this.#expected // a snapshot's summary may count less than there is: it knows only regular files
    const bytesDone = this.#phase === 'verifying' ? this.#counts.bytesVerified : this.#bytesDone
    progress({
      phase: this.#phase,
      filesDone: this.#filesDone,
      totalFiles: expected && Math.max(expected.files, this.#filesDone),
      bytesDone,
      totalBytes: expected && Math.max(expected.bytes, bytesDone),
      errorCount: this.#counts.failureCount,
      current: path && displayBytes(path),
    })
  }
}

const ITEM_COUNTS = {
  restored: 'filesRestored',
  updated: 'filesUpdated',
  unchanged: 'filesUnchanged',
  skipped: 'filesSkipped',
  deleted: 'filesDeleted',
} as const satisfies Record<ItemAction, keyof RestoreResult>
