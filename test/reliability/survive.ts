import { existsSync, readdirSync, rmSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { localBackend } from '../../src/backend/local.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { isCode } from '../../src/base/errors.ts'
import { check } from '../../src/maintain/check.ts'
import { prune } from '../../src/maintain/prune.ts'
import type { Environment } from '../../src/repository/environment.ts'
import { openRepository, type Repository } from '../../src/repository/repository.ts'
import { listSnapshots, type StoredSnapshot } from '../../src/repository/snapshots.ts'
import { restore } from '../../src/restore/restorer.ts'
import { compareTrees } from '../helpers/compare-trees.ts'
import { type MemoryDisk, memoryDisk } from '../helpers/memory-disk.ts'
import { writeFolders } from './folder-image.ts'
import type { Place } from './place.ts'
import { derivedFolders, environmentOf, LATER_MS } from './recording.ts'
import { backUpSource, createRepository, EVERYTHING } from './story.ts'
import type { Wreck } from './wrecks.ts'

/**
 * What is wrong with a wreck, in words; nothing if it loses nothing and goes on as if nothing had happened. All data is read
 * and checked in any case; `restoreAll` restores every snapshot, too.
 */
export async function faultsOf(
  wreck: Wreck,
  place: Place,
  { restoreAll }: { readonly restoreAll: boolean },
): Promise<string[]> {
  writeFolders(derivedFolders(place), wreck.derived)
  const now = (): number => Date.now() + LATER_MS
  const disk = memoryDisk(wreck.image, { now })
  const environment = environmentOf(place, 'survivor', now)
  const faults: string[] = []
  try {
    if (wreck.chapter.mends) await wreck.chapter.act(place, disk.files, environment)
    faults.push(...(await lookAt(wreck, disk, place, environment, restoreAll)))
    faults.push(...(await goOn(disk, place, environment)))
  } catch (error) {
    faults.push(error instanceof Error ? `${error.stack}` : String(error))
  }
  return faults
}

/** What is there now: all of it whole, and nothing lost. */
async function lookAt(
  { required }: Wreck,
  disk: MemoryDisk,
  place: Place,
  environment: Environment,
  restoreAll: boolean,
): Promise<string[]> {
  await using repository = await openOrCreate(disk, place, environment, required)
  const faults: string[] = []
  const snapshots = await listSnapshots(repository, {}, (id, { message }) => faults.push(`${id}: ${message}`))
  faults.push(...(await damageIn(repository)))
  const copies = new Set<string>()
  for (const stored of snapshots) {
    const copy = place.expected.get(stored.id)
    if (copy === undefined) faults.push(`nobody has made snapshot ${stored.id}`)
    else if (restoreAll) faults.push(...(await compareRestored(repository, stored, copy, place)))
    copies.add(copy ?? '')
  }
  for (const copy of required) if (!copies.has(copy)) faults.push(`the snapshot of ${copy} is lost`)
  return faults
}

/** Where there was no repository yet, `init` simply does it again. */
async function openOrCreate(
  { files }: MemoryDisk,
  place: Place,
  environment: Environment,
  required: ReadonlySet<string>,
): Promise<Repository> {
  try {
    return await openRepository(localBackend(place.repository, files), environment)
  } catch (error) {
    if (!isCode(error, 'NO_REPOSITORY') || required.size > 0) throw error
    await createRepository(place, files, environment)
    return await openRepository(localBackend(place.repository, files), environment)
  }
}

async function damageIn(repository: Repository): Promise<string[]> {
  const { problems } = await check(repository, { readData: 'all', threads: 1 })
  return problems.map(({ message }) => message)
}

/** What tells the restored files of a snapshot from a copy of its source. */
async function compareRestored(
  repository: Repository,
  { id, snapshot }: StoredSnapshot,
  copy: string,
  { source, target }: Place,
): Promise<string[]> {
  const { failureCount } = await restore(repository, snapshot, { target, path: byteStringOf(source), threads: 1 })
  const differences = compareTrees(copy, target, { root: false })
  rmSync(target, { recursive: true })
  return failureCount > 0 ? [...differences, `${failureCount} failures restoring ${id}`] : differences
}

/** The next backup and prune: they succeed, all is whole, and nothing is left that is of no use. */
async function goOn(disk: MemoryDisk, place: Place, environment: Environment): Promise<string[]> {
  const open = (): Promise<Repository> => openRepository(localBackend(place.repository, disk.files), environment)
  const faults: string[] = []
  {
    await using repository = await open()
    const before = await listSnapshots(repository)
    const id = await backUpSource(repository, place)
    const after = await listSnapshots(repository)
    if (!before.every((stored) => after.some((each) => each.id === stored.id)))
      faults.push('a backup removes snapshots')
    faults.push(...(await compareRestored(repository, after.find((stored) => stored.id === id)!, place.source, place)))
  }
  await using repository = await open()
  await prune(repository, { ...EVERYTHING, graceMs: 0 })
  faults.push(...(await damageIn(repository)))
  const { plan } = await prune(repository, { ...EVERYTHING, dryRun: true })
  if (plan.remove.length + plan.rewrite.length > 0) faults.push('a second prune would find something to do')
  return [...faults, ...rubbish(disk, place)]
}

function rubbish(disk: MemoryDisk, { repository }: Place): string[] {
  const stored = [...disk.image().files.keys()].map((path) => relative(repository, path))
  const packs = new Set(stored.filter((path) => /^(?:data|meta)\//.test(path)).map((path) => basename(path)))
  const left = stored.filter(
    (path) => /^(?:tmp|locks|condemned)\//.test(path) || (/^parity\//.test(path) && !packs.has(basename(path))),
  )
  const copies = join(repository, 'index-copies')
  if (existsSync(copies)) left.push(...readdirSync(copies).map((name) => join('index-copies', name)))
  return left.map((path) => `${path} stays`)
}
