import { homedir, hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Progress } from './base/progress.ts'
import type { RepositoryConfig } from './format/config.ts'
import { defaultCacheDirectory } from './repository/cache-directory.ts'
import type { Environment } from './repository/environment.ts'
import { createLocalRepository, openLocalRepository } from './repository/local.ts'
import type { Repository } from './repository/repository.ts'

/**
 * chainkeep as a library: what the command line does, from a program.
 *
 *     const repository = await openRepository('/backup/node')
 *     const { id } = await backup(repository, { paths: [byteStringOf('/var/lib/litecoin')] })
 *     await repository.close()
 *
 * Everything that goes wrong on purpose is a `ChainkeepError`; its `code` is the promise, its text is for people.
 */
export { type BackupOptions, type BackupResult, backup } from './backup/archiver.ts'
export { type ByteString, byteStringOf, displayBytes, fromByteString, toByteString } from './base/bytes.ts'
export { ChainkeepError, type ErrorCode, isCode } from './base/errors.ts'
export type { ObjectId, PackId, SnapshotId } from './base/ids.ts'
export type { Progress, ProgressState } from './base/progress.ts'
export { type Change, diffTrees, type Modifier } from './browse/diff.ts'
export { dumpFile } from './browse/dump.ts'
export { type Entry, findEntry, type ListOptions, listEntries } from './browse/entries.ts'
export { type FoundEntries, findEntries } from './browse/find.ts'
export { measure, type RepositoryStats, type SnapshotStats, type StatsOptions } from './browse/stats.ts'
export type { Node } from './format/node.ts'
export type { Failure, Snapshot, SnapshotKind, SnapshotSummary } from './format/snapshot.ts'
export { type CheckOptions, type CheckReport, check } from './maintain/check.ts'
export { type Duration, parseDuration } from './maintain/duration.ts'
export { forget } from './maintain/forget.ts'
export {
  DEFAULT_REMOVE_LIMIT,
  type Excess,
  findExcess,
  type RemoveLimit,
  type RemoveLimits,
} from './maintain/forget-limit.ts'
export {
  type ForgetGroup,
  type ForgetOptions,
  type ForgetPolicy,
  type GroupKey,
  type KeptSnapshot,
  planForget,
  UNLIMITED,
} from './maintain/forget-policy.ts'
export type { Note, Problem } from './maintain/problem.ts'
export { DEFAULT_GRACE_MS, type PendingPacks, type PruneOptions, type PruneResult, prune } from './maintain/prune.ts'
export type { PrunePlan, PrunePolicy } from './maintain/prune-plan.ts'
export type { ReadData } from './maintain/read-data.ts'
export { type RepairIndexResult, repairIndex } from './maintain/repair-index.ts'
export { type RepairedPack, type RepairPacksOptions, repairPacks } from './maintain/repair-packs.ts'
export {
  type RepairedSnapshot,
  type RepairSnapshotsOptions,
  type RepairSnapshotsResult,
  repairSnapshots,
} from './maintain/repair-snapshots.ts'
export { type RetaggedSnapshot, retag, type TagChange } from './maintain/retag.ts'
export {
  type ParityState,
  parityState,
  type SetParityOptions,
  type SetParityResult,
  setParity,
} from './maintain/set-parity.ts'
export type { Environment } from './repository/environment.ts'
export { compilePatterns, type PathMatcher } from './repository/path-patterns.ts'
export type { Repository } from './repository/repository.ts'
export { findSnapshot, listSnapshots, type SnapshotFilter, type StoredSnapshot } from './repository/snapshots.ts'
export type { OverwriteMode, RestoredItem, RestoreOptions, RestoreResult } from './restore/options.ts'
export { restore } from './restore/restorer.ts'

/** What differs from this machine and process. */
export interface OpenOptions extends Partial<Environment> {
  /** Hears of building the index again, should that be necessary. */
  readonly progress?: Progress
}

/** Creates a repository in the folder `path`, which may exist if it is empty. Rejects EXISTS, DENIED, IO. */
export async function initRepository(path: string, options: OpenOptions = {}): Promise<RepositoryConfig> {
  return await createLocalRepository(resolve(path), environmentOf(options))
}

/** Opens the repository in the folder `path`; close it, or say `await using`. Rejects NO_REPOSITORY, NOT_A_REPOSITORY, UNSUPPORTED, BAD_FORMAT, CORRUPT. */
export async function openRepository(path: string, options: OpenOptions = {}): Promise<Repository> {
  return await openLocalRepository(resolve(path), environmentOf(options), options.progress)
}

function environmentOf(options: OpenOptions): Environment {
  return {
    now: options.now ?? Date.now,
    host: options.host ?? hostname(),
    user: options.user,
    program: options.program ?? 'chainkeep library',
    cacheDirectory: resolve(options.cacheDirectory ?? defaultCacheDirectory(process.env, homedir(), process.platform)),
    notice: options.notice ?? (() => {}),
  }
}
