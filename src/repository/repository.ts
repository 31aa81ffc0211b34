import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Backend } from '../backend/backend.ts'
import { ChainkeepError, isCode } from '../base/errors.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import {
  decodeConfig,
  encodeConfig,
  MAX_CONFIG_BYTES,
  type RepositoryConfig,
  requireWritable,
} from '../format/config.ts'
import type { PackName } from '../format/pack.ts'
import { type CondemnedRecords, loadCondemned, packsIn } from './condemned.ts'
import type { Environment } from './environment.ts'
import type { LoadObject } from './lists.ts'
import { acquireLock, type Lock, type LockMode } from './lock.ts'
import type { ObjectIndex } from './object-index.ts'
import { ObjectReader } from './object-reader.ts'
import { ParityWriter, type ProtectOptions } from './parity-writer.ts'
import { type WriteOptions, WriteSession } from './write-session.ts'

/** What a new repository's config records; see ARCHITECTURE.md for why 16/64/256 KiB. */
export type InitOptions = Pick<RepositoryConfig, 'chunker'>

/** Turns the empty folders behind `backend` into a repository. Rejects EXISTS. */
export async function initRepository(
  backend: Backend,
  environment: Environment,
  { chunker }: InitOptions,
): Promise<RepositoryConfig> {
  const config: RepositoryConfig = {
    version: 1,
    repositoryId: randomBytes(16).toString('hex'),
    createdMs: environment.now(),
    chunker,
    readFeatures: [],
    writeFeatures: [],
  }
  try {
    await backend.put('config', '', [encodeConfig(config)])
  } catch (error) {
    if (isCode(error, 'EXISTS'))
      throw new ChainkeepError('EXISTS', `${backend.location} already holds a repository`, {}, error)
    throw error
  }
  return config
}

/** Rejects NO_REPOSITORY, NOT_A_REPOSITORY, UNSUPPORTED, or TRUNCATED, BAD_FORMAT, CORRUPT for damage. The repository takes ownership of `backend`. */
export async function openRepository(
  backend: Backend,
  environment: Environment,
  progress: Progress = noProgress,
): Promise<Repository> {
  const file = join(backend.location, 'config')
  let size: number
  try {
    size = (await backend.stat('config', '')).size
  } catch (error) {
    if (!isCode(error, 'NOT_FOUND')) throw error
    throw new ChainkeepError(
      'NO_REPOSITORY',
      `there is no repository at ${backend.location}: create one with "chainkeep init"`,
      { location: backend.location },
      error,
    )
  }
  if (size > MAX_CONFIG_BYTES)
    throw new ChainkeepError('NOT_A_REPOSITORY', `${file} is not the config of a chainkeep repository`, { file })
  const config = readConfig(await backend.get('config', ''), file)
  return new Repository(backend, config, environment, progress)
}

function readConfig(bytes: Uint8Array, file: string): RepositoryConfig {
  try {
    return decodeConfig(bytes, file)
  } catch (error) {
    if (!isCode(error, 'TRUNCATED', 'BAD_FORMAT', 'CORRUPT')) throw error
    const reason = error.message.replace(`${file}: `, '')
    const message = `${file} is damaged: ${reason}; copy it back from another copy of the repository`
    throw new ChainkeepError(error.code, message, error.details, error)
  }
}

/** An open repository: objects by kind and id over a backend. */
export class Repository implements AsyncDisposable {
  readonly backend: Backend
  readonly config: RepositoryConfig
  readonly environment: Environment
  /** Loads any object, checked against its id. */
  readonly load: LoadObject
  /** What was condemned when the last lock was taken. */
  condemned: CondemnedRecords = new Map()
  readonly #reader: ObjectReader
  readonly #progress: Progress
  readonly #parity: ParityWriter
  #reading: Lock | undefined
  #index: Promise<ObjectIndex> | undefined

  constructor(backend: Backend, config: RepositoryConfig, environment: Environment, progress: Progress) {
    this.backend = backend
    this.config = config
    this.environment = environment
    this.#progress = progress
    this.#parity = new ParityWriter(backend)
    this.#reader = new ObjectReader(backend, () => this.index())
    this.load = (kind, id) => this.#reader.load(kind, id)
  }

  /** The folder for what this machine remembers of this repository. */
  get cacheDirectory(): string {
    return join(this.environment.cacheDirectory, this.config.repositoryId)
  }

  /** The index, opened at the first call and shared by all later ones. */
  index(): Promise<ObjectIndex> {
    this.#index ??= this.#openIndex()
    return this.#index
  }

  async #openIndex(): Promise<ObjectIndex> {
    const { ObjectIndex } = await import('./object-index.ts') // LevelDB takes 15 ms to load, and many commands never ask
    const index = await ObjectIndex.open({
      backend: this.backend,
      directory: join(this.backend.localDirectory ?? this.cacheDirectory, 'index'),
      notice: this.environment.notice,
      progress: this.#progress,
    })
    index.condemn(packsIn(this.condemned.values()))
    return index
  }

  /** Rejects UNSUPPORTED if this version must not write here. The lock, 'write' or 'prune', is left out in a dry run only. */
  beginWrite(options?: WriteOptions): WriteSession {
    this.requireWritable()
    return new WriteSession(
      this.backend,
      () => this.index(),
      options,
      (pack) => this.protect(pack),
    )
  }

  /** Writes parity beside a pack that is durable, as `ParityWriter.protect` does. */
  protect(pack: PackName, options?: ProtectOptions): Promise<number> {
    return this.#parity.protect(pack, options)
  }

  /** Throws UNSUPPORTED if this version must not change anything here. */
  requireWritable(): void {
    requireWritable(this.config, join(this.backend.location, 'config'))
  }

  /**
   * Shows others that somebody is at work here, and learns what packs are condemned: from here on nothing new will rely on
   * them. Rejects LOCKED for a second prune, UNSUPPORTED; for a reader never.
   */
  async lock(mode: LockMode): Promise<Lock> {
    if (mode === 'read') return await this.#enter(mode).catch(() => acquireLock(this.backend, mode, this.environment))
    this.requireWritable()
    return await this.#enter(mode)
  }

  /** Shows others that it is being read, until it is closed. */
  async beginReading(): Promise<void> {
    this.#reading ??= await this.lock('read')
  }

  /** Records are read before and after the lock is there: what is condemned from now on waits for its holder. */
  async #enter(mode: LockMode): Promise<Lock> {
    const known = await loadCondemned(this.backend)
    const lock = await acquireLock(this.backend, mode, this.environment, [...known.keys()])
    try {
      this.condemned = new Map([...known, ...(await loadCondemned(this.backend, known))])
      const index = await this.#index
      index?.condemn(packsIn(this.condemned.values()))
      await index?.refresh() // while it held no lock, another process may have pruned packs away
      return lock
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#reading?.release().catch(() => {}) // its process ends, or it is not renewed
    this.#reading = undefined
    const index = this.#index
    this.#index = undefined
    const opened = await index?.catch(() => undefined) // who asked for it has heard of the failure
    await opened?.close()
    await this.#parity[Symbol.asyncDispose]()
    await this.backend[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
