import { availableParallelism } from 'node:os'
import { readAhead } from '../base/async.ts'
import { type ByteString, byteStringOf, displayBytes } from '../base/bytes.ts'
import { isCode, reasonOf, throwIfInterrupted } from '../base/errors.ts'
import type { ObjectId, PackId, SnapshotId } from '../base/ids.ts'
import type { Progress } from '../base/progress.ts'
import type { Failure, Snapshot, SnapshotKind } from '../format/snapshot.ts'
import { createAccounts } from '../native/accounts.ts'
import type { Effort } from '../native/compress.ts'
import { doubtsAbout, rememberCleared } from '../repository/cleared-snapshots.ts'
import { type CondemnedRecord, type CondemnedRecords, loadCondemned, packsIn } from '../repository/condemned.ts'
import { rememberPacks } from '../repository/known-packs.ts'
import type { Lock } from '../repository/lock.ts'
import { compilePatterns } from '../repository/path-patterns.ts'
import type { Repository } from '../repository/repository.ts'
import { describeFuture } from '../repository/snapshot-dates.ts'
import { listSnapshots, type StoredSnapshot, saveSnapshot } from '../repository/snapshots.ts'
import type { WriteSession } from '../repository/write-session.ts'
import { WorkerPool } from '../worker/pool.ts'
import { BestEffortCache } from './best-effort-cache.ts'
import { buildTree, type ItemAction } from './build-tree.ts'
import { Counters } from './counters.ts'
import { FileCacheReader } from './file-cache.ts'
import { APPEND_ONLY, createFindKept } from './grown-files.ts'
import { Journal } from './journal.ts'
import { countHealed, type Healed, NOTHING_LOST, secureParent } from './lost-objects.ts'
import { chooseParent, type ParentChoice, treesToRemember } from './parent.ts'
import { ENTRIES_AHEAD, entriesIn, planReads } from './plan-reads.ts'
import { FileReader } from './read-files.ts'
import { resolveSources } from './sources.ts'
import { storeStream } from './stream.ts'
import { type WalkOptions, walkSource } from './walk.ts'

export interface BackupOptions {
  /** Absolute paths. With `stdin` there are none. */
  readonly paths: readonly ByteString[]
  readonly kind?: SnapshotKind
  /** Compare with this snapshot instead of the one that `kind` says. */
  readonly parent?: SnapshotId
  readonly tags?: readonly string[]
  readonly host?: string
  /** The snapshot's time, in milliseconds since 1970. */
  readonly timeMs?: number
  /** Patterns: see `compilePatterns`. */
  readonly excludes?: readonly string[]
  /** Of a directory that holds a file of one of these names, only that file is stored. */
  readonly excludeIfPresent?: readonly string[]
  readonly oneFileSystem?: boolean
  /** Patterns of files that are only ever appended to, besides `APPEND_ONLY`: what was read of them is not read again. */
  readonly appendOnly?: readonly string[]
  /** Make no snapshot if it would be the same as its parent. */
  readonly skipIfUnchanged?: boolean
  /** Read and count everything, and store nothing. */
  readonly dryRun?: boolean
  /** Store this as one file instead of paths. */
  readonly stdin?: { readonly source: AsyncIterable<Uint8Array>; readonly filename: ByteString }
  /** Worker threads; default: one for each core. */
  readonly threads?: number
  readonly effort?: Effort
  readonly progress?: Progress
  readonly signal?: AbortSignal
  /** Hears of what is missing in the snapshot, or torn in it. */
  readonly onFailure?: (failure: Failure) => void
  readonly onItem?: (item: { readonly path: ByteString; readonly action: ItemAction; readonly size: number }) => void
}

export interface BackupResult {
  /** Absent when none was made: in a dry run, or when `skipped`. */
  readonly id: SnapshotId | undefined
  readonly snapshot: Snapshot
  /** Nothing had changed, and `skipIfUnchanged` was asked for. */
  readonly skipped: boolean
  /** Absent if nothing was found to be lost, and in a dry run. */
  readonly healed?: Healed
}

/**
 * Stores the paths and publishes their snapshot. If it rejects, no snapshot exists, and what was stored is used by the next
 * run or freed by prune. Rejects NOT_FOUND if there is nothing at any of the paths, REFUSED if one lies inside the
 * repository, LOCKED while a prune is at work, INTERRUPTED, and what writing to the repository may reject with.
 * Single files that cannot be read do not make it reject: see `failureCount` of the snapshot.
 */
export async function backup(repository: Repository, options: BackupOptions): Promise<BackupResult> {
  const { environment } = repository
  const { stdin, dryRun = false, signal, threads = availableParallelism() } = options
  const counters = new Counters(options)
  const startMs = environment.now()
  const host = options.host ?? environment.host
  const sources = stdin
    ? { paths: [stdin.filename], missing: [] }
    : resolveSources(options.paths, repository.backend.localDirectory, environment.notice)
  for (const failure of sources.missing) counters.fail(failure)

  await using lock = await repository.lock(dryRun ? 'read' : 'write')
  const avoided = repository.condemned
  const snapshots = await listSnapshots(repository)
  const { kind = 'incremental', parent, timeMs } = options
  const choice = chooseParent(snapshots, { host, paths: sources.paths, kind, parent, timeMs, nowMs: startMs })
  if (choice.future.length > 0)
    environment.notice(
      `${describeFuture(choice.future)}: is the clock right? "chainkeep forget ID" removes what is wrong`,
    )
  if (kind === 'differential' && choice.kind === 'full' && choice.group.length > 0)
    environment.notice('no full snapshot of these paths is left: this one is made full')
  counters.expect(choice.parent?.snapshot.summary)
  await using session = repository.beginWrite({ dryRun, lock, signal })
  await using pool = new WorkerPool({ threads })
  using journal =
    dryRun || stdin
      ? undefined
      : new Journal({
          cacheDirectory: repository.cacheDirectory,
          host,
          paths: sources.paths,
          isFull: choice.kind === 'full',
          startMs,
          notice: environment.notice,
        })
  const reader = new FileReader({
    session,
    pool,
    config: repository.config,
    effort: options.effort ?? 'auto',
    startMs,
    journal,
    load: repository.load,
    onBytesRead: (bytes) => counters.read(bytes),
    onTakenOver: (bytes) => counters.takenOver(bytes),
  })
  using remember =
    dryRun || stdin ? undefined : new BestEffortCache(repository.cacheDirectory, startMs, environment.notice)

  const { isWhole: isParentWhole, lost } = stdin
    ? NOTHING_LOST
    : await secureParent(repository, choice.parent, { lock: dryRun ? undefined : lock, signal })
  if (lost.some((each) => each.kind !== 'chunk')) session.mistrustMetadata()
  const tree = stdin
    ? await storeStream(stdin, reader, session, startMs, counters, signal)
    : await storePaths({
        repository,
        options,
        startMs,
        sources: sources.paths,
        choice,
        isParentWhole,
        session,
        pool,
        reader,
        remember,
        counters,
      })
  throwIfInterrupted(signal)
  await session.flush()

  const snapshot: Snapshot = {
    version: 1,
    timeMs: timeMs ?? startMs,
    kind: choice.kind,
    tree,
    parent: choice.kind === 'full' ? undefined : choice.parent?.id,
    paths: sources.paths,
    host,
    user: environment.user,
    tags: [...new Set(options.tags)].sort(),
    excludes: options.excludes ?? [],
    program: environment.program,
    summary: counters.summary(session.stats),
    failures: counters.failures,
    failureCount: counters.failureCount,
  }
  const skipped = options.skipIfUnchanged === true && choice.parent?.snapshot.tree === tree
  const healed = dryRun ? undefined : await countHealed(session, lost)
  if (skipped) journal?.finish()
  if (dryRun || skipped) return { id: undefined, snapshot, skipped, healed }
  const id = await publish(repository, snapshot, lock) // after the flush: FORMAT.md §10
  await rememberPacks(repository, [tree], { unlessGone: true })
  await clear(repository, id, { avoided, parent: choice.parent, packs: session.packs })
  if (remember) {
    const kept = treesToRemember(snapshots, choice, tree)
    remember.commit(tree, (name) => kept.has(name))
  }
  journal?.finish()
  return { id, snapshot, skipped, healed }
}

interface StorePaths {
  readonly repository: Repository
  readonly options: BackupOptions
  readonly startMs: number
  readonly sources: readonly ByteString[]
  readonly choice: ParentChoice
  readonly isParentWhole: boolean
  readonly session: WriteSession
  readonly pool: WorkerPool
  readonly reader: FileReader
  readonly remember: BestEffortCache | undefined
  readonly counters: Counters
}

async function storePaths({
  repository,
  options,
  startMs,
  sources,
  choice,
  isParentWhole,
  session,
  pool,
  reader,
  remember,
  counters,
}: StorePaths): Promise<ObjectId> {
  const { environment } = repository
  const trustCache = choice.kind !== 'full' && isParentWhole
  using cache = choice.parent && FileCacheReader.open(repository.cacheDirectory, choice.parent.snapshot.tree)
  if (trustCache && choice.parent && !cache)
    environment.notice('this machine remembers nothing of the files at the last snapshot: all are read again')
  const walk: WalkOptions = {
    paths: sources,
    excludes: compilePatterns(options.excludes ?? []),
    excludeIfPresent: (options.excludeIfPresent ?? []).map(byteStringOf),
    oneFileSystem: options.oneFileSystem ?? false,
    leaveOut: [repository.backend.localDirectory, environment.cacheDirectory].flatMap((path) =>
      path === undefined ? [] : [byteStringOf(path)],
    ),
    onLeftOut: (path) => environment.notice(`${displayBytes(path)} belongs to chainkeep and is left out`),
    onEmptied: (path) => environment.notice(`the excludes leave nothing of ${displayBytes(path)}`),
    onError: (path, error) => counters.fail({ path, reason: reasonOf(error) }),
  }
  counters.scanLater(walk)
  const findKept = createFindKept({
    appendOnly: compilePatterns([...APPEND_ONLY, ...(options.appendOnly ?? [])]),
    load: repository.load,
    pool,
    startMs,
    onBytesRead: (bytes) => counters.read(bytes),
  })
  const items = readAhead(
    planReads(walkSource(walk), reader, { cache, trustCache, findKept, signal: options.signal }),
    ENTRIES_AHEAD,
    entriesIn,
  )
  try {
    return await buildTree(items, {
      maker: {
        accounts: createAccounts(),
        save: (kind, plain) => session.saveObject(kind, plain),
        onError: (path, error) => counters.fail({ path, reason: `extended attributes: ${reasonOf(error)}` }),
      },
      reader,
      remember,
      parentTree: trustCache && cache ? choice.parent!.snapshot.tree : undefined,
      onFile: (path, action, size) => counters.file(path, action, size),
      onDirectory: () => counters.directory(),
      onFailure: (path, reason) => counters.fail({ path, reason }),
      onUnsupported: (path) => environment.notice(`${displayBytes(path)} is a socket and is left out`),
    })
  } finally {
    counters.stop()
  }
}
/**
 * Publishes the snapshot. If this process was taken for dead meanwhile, packs may be gone that it relied on: then it looks
 * whether all that the snapshot needs is there, and rejects LOCKED if not.
 */
async function publish(repository: Repository, snapshot: Snapshot, lock: Lock): Promise<SnapshotId> {
  try {
    const id = await saveSnapshot(snapshot, lock)
    lock.holdsUnpublished = false
    return id
  } catch (error) {
    if (!isCode(error, 'LOCKED')) throw error
    const { secureTrees } = await import('../repository/secure-trees.ts')
    await using again = await repository.lock('write')
    if (!(await secureTrees(repository, [snapshot.tree], { lock: again })).isWhole) throw error
    return await publish(repository, snapshot, again)
  }
}

/** Notes what is condemned and not needed by the new snapshot, so that the next backup does not have to find that out. */
async function clear(
  repository: Repository,
  id: SnapshotId,
  used: {
    /** Records whose packs were not used from the beginning. */
    readonly avoided: CondemnedRecords
    readonly parent: StoredSnapshot | undefined
    readonly packs: ReadonlySet<PackId>
  },
): Promise<void> {
  const records = await loadCondemned(repository.backend, repository.condemned)
  const isUnneeded = (record: CondemnedRecord): boolean => {
    if (used.avoided.has(record.name)) return true
    if (used.parent && doubtsAbout(repository, used.parent.id, [record]).length > 0) return false
    const condemned = packsIn([record])
    return ![...used.packs].some((pack) => condemned.has(pack))
  }
  await rememberCleared(repository, id, [...records.values()].filter(isUnneeded))
}
