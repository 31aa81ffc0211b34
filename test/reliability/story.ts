import { execFileSync } from 'node:child_process'
import type { FileSystem } from '../../src/backend/file-system.ts'
import { localBackend } from '../../src/backend/local.ts'
import { createLocalFolders } from '../../src/backend/local-folders.ts'
import { backup } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import type { SnapshotId } from '../../src/base/ids.ts'
import { SEGMENT_BYTES } from '../../src/chunker/fastcdc.ts'
import { forget } from '../../src/maintain/forget.ts'
import { prune } from '../../src/maintain/prune.ts'
import { repairIndex } from '../../src/maintain/repair-index.ts'
import { repairPacks } from '../../src/maintain/repair-packs.ts'
import { repairSnapshots } from '../../src/maintain/repair-snapshots.ts'
import { retag } from '../../src/maintain/retag.ts'
import { setParity } from '../../src/maintain/set-parity.ts'
import type { Environment } from '../../src/repository/environment.ts'
import { initRepository, openRepository, type Repository } from '../../src/repository/repository.ts'
import { findSnapshot, listSnapshots } from '../../src/repository/snapshots.ts'
import { restore } from '../../src/restore/restorer.ts'
import { flipped } from '../helpers/maintaining.ts'
import type { DiskImage } from '../helpers/memory-disk.ts'
import type { Place } from './place.ts'
import { growSource, makeSource } from './source.ts'

/** One command of a repository's life. */
export interface Chapter {
  readonly name: string
  /** Changes the source before it. */
  readonly prepare?: (place: Place) => void
  /** Damages the repository before it. */
  readonly damage?: (image: DiskImage) => DiskImage
  readonly act: (place: Place, files: FileSystem, environment: Environment) => Promise<void>
  /** Whether it is run on a disk without hard links. */
  readonly withoutHardLinks?: boolean
  /** Whether what was damaged is whole again only after the command has been run to its end. */
  readonly mends?: boolean
}

/** Chunks so small that a hundred kilobytes have some thirty: enough for lists. */
const CHUNKER = { minBytes: 1024, averageBytes: 4096, maxBytes: 16_384, level: 1, segmentBytes: SEGMENT_BYTES }
export const EVERYTHING = { policy: { maxUnused: { bytes: 0 } } } as const

/** From the first day to the worst. Each command begins with what the one before has left. */
export const STORY: readonly Chapter[] = [
  { name: 'init', act: createRepository },
  { name: 'first backup', prepare: ({ source }) => makeSource(source), act: opened(backUp) },
  { name: 'second backup', prepare: (place) => growSource(place.source, place.nextHour()), act: opened(backUp) },
  {
    name: 'third backup, without hard links',
    prepare: (place) => growSource(place.source, place.nextHour()),
    act: opened(backUp),
    withoutHardLinks: true,
  },
  { name: 'tag', act: opened(retagOldest) },
  { name: 'forget', act: opened(forgetOldest) },
  { name: 'prune', act: opened(async (repository) => void (await prune(repository, EVERYTHING))) },
  { name: 'repair index', act: opened(async (repository) => void (await repairIndex(repository))) },
  {
    name: 'repair packs',
    damage: (image) => damageEnd(damageEnd(image, 'data'), 'meta'),
    act: opened(async (repository) => void (await repairPacks(repository))),
    mends: true,
  },
  { name: 'parity', act: opened(async (repository) => void (await setParity(repository, 20))) },
  {
    name: 'fourth backup, with parity',
    prepare: (place) => growSource(place.source, place.nextHour()),
    act: opened(backUp),
  },
  {
    name: 'repair packs, by parity',
    damage: (image) => damageEnd(damageEnd(image, 'data'), 'meta'),
    act: opened(async (repository) => void (await repairPacks(repository))),
    mends: true,
  },
  { name: 'repair snapshots', damage: loseNewest, act: opened(repairAll), mends: true },
  {
    name: 'forget and prune',
    async act(place, files, environment) {
      await opened(forgetOldest)(place, files, environment)
      await opened(async (repository) => void (await prune(repository, EVERYTHING)))(place, files, environment)
    },
  },
  { name: 'no parity', act: opened(async (repository) => void (await setParity(repository, 0))) },
]

/** What is run again and again, in any order. */
export const DAILY: readonly Chapter[] = [
  { name: 'backup', prepare: (place) => growSource(place.source, place.nextHour(), 0.1), act: opened(backUp) },
  { name: 'backup of the same', act: opened(backUp) },
  ...STORY.filter(({ name }) =>
    ['tag', 'forget', 'prune', 'repair index', 'parity', 'forget and prune', 'no parity'].includes(name),
  ),
]

export async function createRepository(place: Place, files: FileSystem, environment: Environment): Promise<void> {
  await createLocalFolders(place.repository, files)
  await initRepository(localBackend(place.repository, files), environment, { chunker: CHUNKER })
}

async function backUp(repository: Repository, place: Place): Promise<void> {
  const copy = place.newCopy()
  execFileSync('cp', ['-a', place.source, copy])
  place.expected.set(await backUpSource(repository, place), copy)
}

/** Of one host, whoever makes it, so that each backup goes on from the last. */
export async function backUpSource(repository: Repository, { source }: Place): Promise<SnapshotId> {
  const { id } = await backup(repository, { paths: [byteStringOf(source)], host: 'node', threads: 1 })
  return id!
}

/** The command in a process of its own. */
function opened(command: (repository: Repository, place: Place) => Promise<void>): Chapter['act'] {
  return async (place, files, environment) => {
    await using repository = await openRepository(localBackend(place.repository, files), environment)
    await command(repository, place)
  }
}

/** Unless it is the only one. */
async function forgetOldest(repository: Repository): Promise<void> {
  const [first, second] = await listSnapshots(repository)
  if (second) await forget(repository, [first!.id])
}

async function retagOldest(repository: Repository, { expected }: Place): Promise<void> {
  const snapshots = await listSnapshots(repository)
  for (const { id, replaced } of await retag(repository, snapshots.slice(0, 1), { add: ['release'] }))
    expected.set(id, expected.get(replaced)!)
}

/** What a repaired snapshot lacks is up to the damage: it must be restored to what it is restored to the first time. */
async function repairAll(repository: Repository, place: Place): Promise<void> {
  const { repaired } = await repairSnapshots(repository, { forgetOriginals: true })
  for (const { id } of repaired)
    if (!place.expected.has(id!)) place.expected.set(id!, await copyOf(repository, id!, place))
}

async function copyOf(repository: Repository, id: SnapshotId, place: Place): Promise<string> {
  const { snapshot } = await findSnapshot(repository, id)
  const target = place.newCopy()
  await restore(repository, snapshot, { target, path: byteStringOf(place.source), threads: 1 })
  return target
}

const filesBelow = ({ files }: DiskImage, folder: string): string[] =>
  [...files.keys()].filter((path) => path.includes(`/repository/${folder}/`))

/** Makes the trailer of a pack unreadable: all that is in it can still be saved. */
function damageEnd(image: DiskImage, folder: 'data' | 'meta'): DiskImage {
  const files = new Map(image.files)
  const path = filesBelow(image, folder)[0]!
  const file = files.get(path)!
  files.set(path, { ...file, bytes: flipped(Buffer.from(file.bytes), file.bytes.length - 30) })
  return { ...image, files }
}

/** Without the data pack that was written last: what the newest snapshot alone has is lost. */
function loseNewest(image: DiskImage): DiskImage {
  const files = new Map(image.files)
  const inodeOf = (path: string): number => files.get(path)!.inode
  files.delete(filesBelow(image, 'data').sort((a, b) => inodeOf(b) - inodeOf(a))[0]!)
  return { ...image, files }
}
