import { join } from 'node:path'
import type { Dice } from '../../bench/node/random.ts'
import { localBackend } from '../../src/backend/local.ts'
import type { Environment } from '../../src/repository/environment.ts'
import { openRepository } from '../../src/repository/repository.ts'
import { listSnapshots, type StoredSnapshot } from '../../src/repository/snapshots.ts'
import { type DiskImage, type DiskOperation, emptyImage, memoryDisk } from '../helpers/memory-disk.ts'
import { type FolderImage, hashOf, readFolders, writeFolders } from './folder-image.ts'
import type { Place } from './place.ts'
import { type Chapter, STORY } from './story.ts'

/** A command as it was run, with every change that it made to the disk. */
export interface Recording {
  readonly chapter: Chapter
  readonly start: DiskImage
  /** The folder of unfinished files. */
  readonly temporary: string
  readonly operations: readonly DiskOperation[]
  readonly end: DiskImage
  /** What index and cache were before the operation of this number, and after the last. */
  readonly derived: readonly FolderImage[]
  /** Copies of the source that some snapshot must be restored to, if the cut comes before the command has returned … */
  readonly before: ReadonlySet<string>
  /** … and after. */
  readonly after: ReadonlySet<string>
}

const DAY_MS = 24 * 3600 * 1000
/** When whoever had crashed is long given up, and what it left is spared no more. */
export const LATER_MS: number = 40 * DAY_MS

/** Folders that LevelDB and the cache write to, without a seam. */
export function derivedFolders({ repository, cache }: Place): string[] {
  return [join(repository, 'index'), join(repository, 'index-copies'), cache]
}

export function environmentOf({ cache }: Place, host: string, now: () => number): Environment {
  return { now, host, program: 'chainkeep test', cacheDirectory: cache, notice: () => {} }
}

/** Runs the whole story, on disks in memory. */
export async function recordStory(place: Place, dice: Dice): Promise<Recording[]> {
  const recordings: Recording[] = []
  let image = emptyImage(place.path)
  let derived: FolderImage = new Map()
  for (const chapter of STORY) {
    const recording = await record(chapter, { image, derived }, place, dice)
    recordings.push(recording)
    image = recording.end
    derived = recording.derived.at(-1)!
  }
  return recordings
}

/** Runs a command, so much later than now. Calls at once overtake one another as the dice fall. */
export async function record(
  chapter: Chapter,
  before: { readonly image: DiskImage; readonly derived: FolderImage },
  place: Place,
  dice: Dice,
  laterMs = 0,
): Promise<Recording> {
  chapter.prepare?.(place)
  const start = chapter.damage?.(before.image) ?? before.image
  const folders = derivedFolders(place)
  writeFolders(folders, before.derived)
  const operations: DiskOperation[] = []
  const derived = [before.derived]
  let latest = hashOf(before.derived)
  const onOperation = (operation: DiskOperation): void => {
    operations.push(operation)
    const left = readFolders(folders)
    const hash = hashOf(left)
    derived.push(hash === latest ? derived.at(-1)! : left)
    latest = hash
  }
  const now = (): number => Date.now() + laterMs
  const hardLinks = chapter.withoutHardLinks !== true
  const disk = memoryDisk(start, { onOperation, now, turns: () => dice(3), hardLinks })
  // Who crashed before was another process: on another host, as this one does live.
  await chapter.act(place, disk.files, environmentOf(place, `crashed-${laterMs}`, now))
  derived[operations.length] = readFolders(folders)
  const end = disk.image()
  return {
    chapter,
    start,
    temporary: join(place.repository, 'tmp'),
    operations,
    end,
    derived,
    before: await copiesIn(start, place),
    after: await copiesIn(end, place),
  }
}

/** What the snapshots on a disk must be restored to, oldest first. */
export async function copiesIn(image: DiskImage, place: Place): Promise<Set<string>> {
  return new Set((await snapshotsIn(image, place)).map(({ id }) => place.expected.get(id)!))
}

/** Reads no index. */
export async function snapshotsIn(image: DiskImage, place: Place): Promise<StoredSnapshot[]> {
  if (!image.files.has(join(place.repository, 'config'))) return []
  const backend = localBackend(place.repository, memoryDisk(image).files)
  await using repository = await openRepository(backend, environmentOf(place, 'crashed', Date.now))
  return await listSnapshots(repository)
}
