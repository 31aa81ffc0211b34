import { mapOrdered } from '../base/async.ts'
import { type ByteString, byteStringOf } from '../base/bytes.ts'
import { ChainkeepError, isCode } from '../base/errors.ts'
import { parseSnapshotId, type SnapshotId } from '../base/ids.ts'
import { RECORD_HEADER_BYTES } from '../format/object.ts'
import { decodeSnapshot, encodeSnapshot, MAX_SNAPSHOT_BYTES, type Snapshot } from '../format/snapshot.ts'
import { type Compressor, createCompressor } from '../native/compress.ts'
import type { Lock } from './lock.ts'
import { readBounded } from './read-bounded.ts'
import type { Repository } from './repository.ts'
import { describeFuture, splitFuture } from './snapshot-dates.ts'

/** A snapshot and what it is called. */
export interface StoredSnapshot {
  readonly id: SnapshotId
  readonly snapshot: Snapshot
}

/** The tag of a snapshot that lacks what its `original` had lost. */
export const REPAIRED_TAG = 'repaired'

/** Which snapshots are meant. A snapshot fits if it fits every field that is given. */
export interface SnapshotFilter {
  /** One of them. */
  readonly hosts?: readonly string[]
  /** All of them; several entries are alternatives. */
  readonly tags?: readonly (readonly string[])[]
  /** All of them among its paths. */
  readonly paths?: readonly ByteString[]
}

/** Snapshot files read at once. */
const READS_AT_ONCE = 8
/** Files called otherwise are passed over (FORMAT.md §1). */
export const SNAPSHOT_NAME: RegExp = /^[0-9a-f]{64}$/

/**
 * Every snapshot that fits, oldest first (the id decides between equal times). A damaged file does not hide the others:
 * `onDamaged` hears of it.
 */
export async function listSnapshots(
  repository: Repository,
  filter: SnapshotFilter = {},
  onDamaged: (id: SnapshotId, error: ChainkeepError) => void = (id, error) =>
    repository.environment.notice(`snapshot ${id} cannot be read and is left out: ${error.message}`),
): Promise<StoredSnapshot[]> {
  const found: StoredSnapshot[] = []
  const loaded = mapOrdered(repository.backend.list('snapshots'), READS_AT_ONCE, (name) =>
    tryLoad(repository, name, onDamaged),
  )
  for await (const stored of loaded) if (stored && fitsFilter(stored.snapshot, filter)) found.push(stored)
  return found.sort((a, b) => a.snapshot.timeMs - b.snapshot.timeMs || (a.id < b.id ? -1 : 1))
}

/** Rejects NOT_FOUND, BAD_FORMAT for a file that is too long to be one, or what `decodeSnapshot` throws. */
export async function loadSnapshot(repository: Repository, id: SnapshotId): Promise<Snapshot> {
  const bytes = await readBounded(repository.backend, 'snapshots', id, MAX_SNAPSHOT_BYTES)
  return decodeSnapshot(bytes, id, `snapshots/${id}`)
}

/** The commit point: call only after `WriteSession.flush` (FORMAT.md §10). Rejects LOCKED if the lock is gone. */
export async function saveSnapshot(snapshot: Snapshot, lock: Pick<Lock, 'publish'>): Promise<SnapshotId> {
  return (await publishSnapshot(snapshot, lock)).id
}

/**
 * The same for a snapshot that another is to be removed for. One that is there already must be sound then, and stay: it is
 * stored again if it is damaged, or gone after all once `whenThere` has looked who else is at work.
 */
export async function saveSoundSnapshot(
  repository: Repository,
  snapshot: Snapshot,
  lock: Pick<Lock, 'publish'>,
  whenThere: () => Promise<void> = async () => {},
): Promise<SnapshotId> {
  for (;;) {
    const { id, isNew } = await publishSnapshot(snapshot, lock)
    if (isNew) return id
    await whenThere()
    try {
      await loadSnapshot(repository, id)
      return id
    } catch (error) {
      if (!isCode(error, 'NOT_FOUND', 'BAD_FORMAT', 'CORRUPT', 'TRUNCATED')) throw error
      await removeSnapshot(repository, id)
    }
  }
}

/** `isNew` says that no file of that name was there. */
async function publishSnapshot(
  snapshot: Snapshot,
  lock: Pick<Lock, 'publish'>,
): Promise<{ readonly id: SnapshotId; readonly isNew: boolean }> {
  const { id, bytes } = encodeSnapshot(snapshot, createSnapshotCompressor())
  try {
    await lock.publish('snapshots', id, [bytes])
    return { id, isNew: true }
  } catch (error) {
    if (!isCode(error, 'EXISTS')) throw error
    return { id, isNew: false }
  }
}

/** Leaves raw what fits a block of the disk anyhow, so that nobody has to load zstd to write it, or to read it. */
function createSnapshotCompressor(): Compressor {
  const zstd = createCompressor(3)
  return {
    compressInto: (plain, target, offset) =>
      plain.length > BLOCK_BYTES - RECORD_HEADER_BYTES ? zstd.compressInto(plain, target, offset) : undefined,
  }
}

/** Of most file systems. */
const BLOCK_BYTES = 4096

/** What it referred to stays until prune. */
export async function removeSnapshot(repository: Repository, id: SnapshotId): Promise<void> {
  await repository.backend.remove('snapshots', id)
}

/** Loads the snapshot that `text` names. Rejects as `findSnapshotId`, and what `loadSnapshot` rejects. */
export async function findSnapshot(
  repository: Repository,
  text: string,
  filter: SnapshotFilter = {},
): Promise<StoredSnapshot> {
  const id = await findSnapshotId(repository, text, filter)
  return { id, snapshot: await loadSnapshot(repository, id) }
}

/**
 * The id that `text` names: a prefix of it, `latest`, or `latest~N` (N before the latest). `filter` narrows `latest` only. That
 * passes over what is dated in the future, with a notice, lest a clock that was wrong once decide for years what is restored;
 * but if all is, it is this clock that is wrong. A snapshot that is found by its digits need not be readable; for `latest` all
 * must be, lest an older one pass for it (CORRUPT). Rejects NOT_FOUND, or BAD_ID when a prefix is not one or fits several.
 */
export async function findSnapshotId(
  repository: Repository,
  text: string,
  filter: SnapshotFilter = {},
): Promise<SnapshotId> {
  const latest = /^latest(?:~(\d+))?$/.exec(text)
  if (latest) {
    const snapshots = await listSnapshots(repository, filter, (id, error) => {
      throw new ChainkeepError(
        'CORRUPT',
        `which snapshot is "${text}" is not known, since ${id} cannot be read (${error.message}): name one by its id`,
        { id },
        error,
      )
    })
    const { past, future } = splitFuture(snapshots, repository.environment.now())
    const meant = past.length > 0 ? past : future
    if (future.length > 0)
      repository.environment.notice(
        `${describeFuture(future)}: "${text}" ${meant === past ? 'passes over that' : 'is among them, as there is no other'}`,
      )
    const found = meant.at(-1 - Number(latest[1] ?? 0))
    if (found) return found.id
    throw new ChainkeepError('NOT_FOUND', whyNotFound(text, meant.length, filter), { text })
  }
  if (!/^[0-9a-f]{1,64}$/.test(text))
    throw new ChainkeepError(
      'BAD_ID',
      `"${text}" is not a snapshot: give the first digits of its id, "latest" or "latest~N"`,
      { text },
    )
  const ids: SnapshotId[] = []
  for await (const name of repository.backend.list('snapshots'))
    if (SNAPSHOT_NAME.test(name) && name.startsWith(text)) ids.push(parseSnapshotId(name))
  if (ids.length > 1)
    throw new ChainkeepError('BAD_ID', `"${text}" fits ${ids.length} snapshots: give more digits`, {
      text,
      ids: ids.sort(),
    })
  const [id] = ids
  if (!id)
    throw new ChainkeepError('NOT_FOUND', `there is no snapshot "${text}"; "chainkeep snapshots" lists them`, { text })
  return id
}

/** Why there is no such `latest~N` among so many snapshots. */
function whyNotFound(text: string, count: number, { hosts, tags, paths }: SnapshotFilter): string {
  const isNarrowed = [hosts, tags, paths].some((each) => each !== undefined && each.length > 0)
  if (count === 0)
    return isNarrowed ? 'no snapshot fits; "chainkeep snapshots" lists them' : 'there are no snapshots yet'
  const there = isNarrowed
    ? count === 1
      ? 'only 1 fits'
      : `only ${count} fit`
    : `there ${count === 1 ? 'is' : 'are'} only ${count}`
  return `there is no snapshot "${text}": ${there}; "chainkeep snapshots" lists them`
}

/** Splits `ID:sub/path` into the snapshot's text and the absolute path, `/` when none is given. */
export function splitSnapshotPath(text: string): { snapshot: string; path: ByteString } {
  const colon = text.indexOf(':')
  if (colon === -1) return { snapshot: text, path: '/' as ByteString }
  return { snapshot: text.slice(0, colon), path: byteStringOf(`/${text.slice(colon + 1).replace(/^\/+|\/+$/g, '')}`) }
}

export function fitsFilter(snapshot: Snapshot, { hosts, tags, paths }: SnapshotFilter): boolean {
  if (hosts && hosts.length > 0 && !hosts.includes(snapshot.host)) return false
  if (tags && tags.length > 0 && !tags.some((all) => all.every((tag) => snapshot.tags.includes(tag)))) return false
  return !paths || paths.every((path) => snapshot.paths.includes(path))
}

async function tryLoad(
  repository: Repository,
  name: string,
  onDamaged: (id: SnapshotId, error: ChainkeepError) => void,
): Promise<StoredSnapshot | undefined> {
  if (!SNAPSHOT_NAME.test(name)) return undefined
  const id = parseSnapshotId(name)
  try {
    return { id, snapshot: await loadSnapshot(repository, id) }
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return undefined // forgotten meanwhile
    if (!isCode(error, 'BAD_FORMAT', 'CORRUPT', 'TRUNCATED', 'UNSUPPORTED')) throw error
    onDamaged(id, error)
    return undefined
  }
}
