import { forEachLimited, mapOrdered, SharedFate } from '../base/async.ts'
import { LIST_MAX_ENTRIES } from '../format/list.ts'
import type { ChunkRun } from '../repository/lists.ts'
import { compareRun, walkFile } from './compare-file.ts'
import { DirectoryPath } from './directory-path.ts'
import type { FileWork } from './file-work.ts'
import { finishFile } from './finish-file.ts'
import type { RestoreJob } from './job.ts'
import { type LinkGroups, prepareFile } from './prepare-file.ts'
import { removeFile } from './target.ts'
import { requireDamage, walkSelected } from './walk.ts'
import { FIRST_WINDOW_WRITES, WINDOW_GROWTH, WINDOW_WRITES, Window } from './window.ts'
import { writeWindow } from './write-window.ts'

/**
 * Restores directories and the content of files, and gives the files their metadata. Works in windows: many files are made
 * ready, then the packs that hold their chunks are read one after the other. While one window is written, the next is
 * filled. The first ones are small, so that threads need not wait long, at most `windowWrites`.
 *
 * Peak memory: three windows (130 bytes × WINDOW_WRITES = 17 MB, 500 bytes × WINDOW_FILES = 8 MB), what the job's buffers and
 * its threads hold, one tree leaf for each directory on the current path, and for each group of hard links some hundred bytes.
 */
export async function restoreFiles(job: RestoreJob, windowWrites: number = WINDOW_WRITES): Promise<void> {
  const fate = new SharedFate(job.options.signal)
  const sharing = { ...job, options: { ...job.options, signal: fate.signal } }
  const unfinished = new Set<FileWork>()
  try {
    const filled = fate.share(fillWindows(sharing, unfinished, windowWrites))
    const written = mapOrdered(filled, WINDOWS_AT_ONCE, async (window) => {
      await fate.run(() => (job.options.dryRun ? countWindow(sharing, window) : writeWindow(sharing, window)))
      return window
    })
    for await (const window of written) await fate.run(() => finishFiles(sharing, window.complete, unfinished))
  } catch (error) {
    // With `never` the next run would take half a file for one that is there.
    if (job.options.overwrite === 'never')
      for (const { origin, target, links } of unfinished)
        if (origin === 'created') for (const name of [target, ...links.map((link) => link.target)]) removeFile(name)
    throw error
  }
}

/** That are written; the next is filled while the last of them is. */
const WINDOWS_AT_ONCE = 2

/** The chunk writes of all files, in order: a file is complete in the last window that has any of its writes, or later. */
async function* fillWindows(
  job: RestoreJob,
  unfinished: Set<FileWork>,
  windowWrites: number,
): AsyncGenerator<Window, void, undefined> {
  let writes = Math.min(FIRST_WINDOW_WRITES, windowWrites)
  let window = new Window(writes + LIST_MAX_ENTRIES)
  const pieces = mapOrdered(listPieces(job, unfinished), job.pool.capacity, (piece) => comparePiece(job, piece))
  for await (const { file, run, same } of pieces) {
    if (!window.hasRoomFor(LIST_MAX_ENTRIES)) {
      yield window
      writes = Math.min(writes * WINDOW_GROWTH, windowWrites)
      window = new Window(writes + LIST_MAX_ENTRIES)
    }
    if (run) window.add(file, run, same)
    else window.complete.push(file)
  }
  yield window
}

/** Some chunks of a file, or, without a run, its end. */
interface Piece {
  readonly file: FileWork
  readonly run?: ChunkRun
}

/** Makes directories and files on the way. */
async function* listPieces(job: RestoreJob, unfinished: Set<FileWork>): AsyncGenerator<Piece, void, undefined> {
  const directories = new DirectoryPath(job)
  const groups: LinkGroups = new Map()
  const { repository, source, selection, options, report } = job
  for await (const event of walkSelected(repository.load, source, selection, options.signal)) {
    if (event.type === 'damage') report.fail(event.path, event.error.message, true)
    else if (event.type === 'leave') directories.leave()
    else if (event.type === 'enter') directories.enter(event)
    else if (event.isSelected) {
      const directory = directories.make()
      if (event.node.type !== 'file' || directory.state === 'closed') continue
      const file = await prepareFile(job, event.node, event.path, directory, groups)
      if (!file) continue
      unfinished.add(file)
      yield* listFilePieces(job, file)
    }
  }
}

async function* listFilePieces(job: RestoreJob, file: FileWork): AsyncGenerator<Piece, void, undefined> {
  try {
    if (file.origin !== 'trusted') for await (const run of walkFile(job, file.node)) yield { file, run }
  } catch (error) {
    file.failure ??= { reason: requireDamage(error).message, isDamage: true }
  }
  yield { file }
}

async function comparePiece(job: RestoreJob, { file, run }: Piece): Promise<Piece & { same: Uint8Array }> {
  if (!run || file.origin !== 'existing') return { file, run, same: new Uint8Array(run?.lengths.length ?? 0) }
  const { same } = await compareRun(job, file.target, run) // what cannot be read is written
  const reused = run.lengths.reduce((sum, length, i) => sum + length * same[i]!, 0)
  job.report.add('bytesReused', reused)
  job.report.advance(reused)
  if (same.includes(0)) file.isChanged = true
  return { file, run, same }
}

async function finishFiles(job: RestoreJob, files: readonly FileWork[], unfinished: Set<FileWork>): Promise<void> {
  if (job.options.verify && !job.options.dryRun) job.report.begin('verifying')
  await forEachLimited(files, job.pool.capacity, async (file) => {
    await finishFile(job, file)
    unfinished.delete(file)
  })
  job.report.begin('restoring')
}

/** What would be written. */
async function countWindow({ report }: RestoreJob, window: Window): Promise<void> {
  const bytes = window.lengths.subarray(0, window.count).reduce((sum, length) => sum + length, 0)
  report.add('bytesWritten', bytes)
  report.advance(bytes)
}
