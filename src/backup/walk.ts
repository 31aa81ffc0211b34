import { type BigIntStats, lstatSync, readdirSync, statSync } from 'node:fs'
import { type ByteString, fromByteString, joinPath, pathForFs } from '../base/bytes.ts'
import { errnoOf } from '../base/errors.ts'
import type { PathMatcher } from '../repository/path-patterns.ts'

/** What the walk comes by, depth first, each directory's names in bytewise order. */
export type SourceEvent =
  | {
      readonly type: 'enter'
      readonly path: ByteString
      readonly name: ByteString
      readonly stats: BigIntStats
      readonly isAncestor: boolean
    }
  | { readonly type: 'leave'; readonly path: ByteString }
  | { readonly type: 'entry'; readonly path: ByteString; readonly name: ByteString; readonly stats: BigIntStats }

export interface WalkOptions {
  /** Absolute, none below another, in bytewise order: what `normalisePaths` answers. */
  readonly paths: readonly ByteString[]
  readonly excludes: PathMatcher
  /** Of a directory that holds a file of one of these names, only that file is taken. */
  readonly excludeIfPresent: readonly ByteString[]
  /** Directories on other file systems than the source's are entered in name only. */
  readonly oneFileSystem: boolean
  /** Directories that are passed over, by whatever path the walk comes to them, and who hears of it. */
  readonly leaveOut: readonly ByteString[]
  readonly onLeftOut: (path: ByteString) => void
  /** Hears of sources that the excludes leave nothing of. */
  readonly onEmptied?: (path: ByteString) => void
  /** What cannot be looked at. */
  readonly onError: (path: ByteString, error: unknown) => void
}

/**
 * Walks the sources, from `/` down: directories above them are entered, too, marked as ancestors. Calls lstat once for each
 * entry and readdir once for each directory, synchronously, which on a local disk is several times as fast as through the
 * thread pool; who takes the events gives the event loop its turns. Memory: the names of the directories on the current path.
 */
export function* walkSource(options: WalkOptions): Generator<SourceEvent, void, undefined> {
  yield* new Walker(options).walkAncestor('/' as ByteString)
}

/** Absolute paths without duplicates and without those below another. Throws nothing; keeps bytes as they are. */
export function normalisePaths(paths: readonly ByteString[]): ByteString[] {
  const sorted = [
    ...new Set(paths.map((path) => path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1') as ByteString)),
  ].sort()
  return sorted.filter((path) => !sorted.some((other) => other !== path && isBelow(path, other)))
}

/** Whether `path` is `above` or somewhere below it. */
export function isBelow(path: ByteString, above: ByteString): boolean {
  return path === above || above === '/' || path.startsWith(`${above}/`)
}

class Walker {
  readonly #options: WalkOptions
  readonly #leaveOut: readonly BigIntStats[]
  #taken = 0
  #excluded = 0

  constructor(options: WalkOptions) {
    this.#options = options
    this.#leaveOut = options.leaveOut.flatMap((path) => lookThroughLinks(path) ?? [])
  }

  /** `path` is above the sources, or one of them. */
  *walkAncestor(path: ByteString): Generator<SourceEvent, void, undefined> {
    if (this.#options.paths.includes(path)) return yield* this.#walkRoot(path)
    const prefix = path === '/' ? '/' : `${path}/`
    const below = this.#options.paths.filter((source) => source.startsWith(prefix))
    const names = [...new Set(below.map((source) => source.slice(prefix.length).split('/')[0]! as ByteString))].sort()
    for (const name of names) {
      const child = joinPath(path, name)
      if (this.#options.paths.includes(child)) {
        yield* this.#walkSource(child, name)
        continue
      }
      const stats = this.#try(child, () => statSync(fromByteString(child), { bigint: true })) // the way may lead through links
      if (!stats) continue
      yield { type: 'enter', path: child, name, stats, isAncestor: true }
      yield* this.walkAncestor(child)
      yield { type: 'leave', path: child }
    }
  }

  /** The source is `/` itself: it has no name and no node. */
  *#walkRoot(path: ByteString): Generator<SourceEvent, void, undefined> {
    const stats = this.#look(path)
    if (stats) yield* this.#walkSourceDirectory(path, stats.dev)
  }

  *#walkSourceDirectory(path: ByteString, device: bigint): Generator<SourceEvent, void, undefined> {
    const [taken, excluded] = [this.#taken, this.#excluded]
    yield* this.#walkDirectory(path, device)
    if (this.#taken === taken && this.#excluded > excluded) this.#options.onEmptied?.(path)
  }

  *#walkDirectory(path: ByteString, device: bigint): Generator<SourceEvent, void, undefined> {
    const names = this.#list(path)
    if (!names) return
    const marker = this.#options.excludeIfPresent.find((name) => names.includes(name))
    for (const name of marker === undefined ? names.sort() : [marker]) {
      const child = joinPath(path, name)
      const stats = this.#look(child)
      if (!stats) continue
      const isDirectory = stats.isDirectory()
      if (this.#options.excludes.matches(child, isDirectory)) {
        this.#excluded++
        continue
      }
      this.#taken++
      if (isDirectory) yield* this.#enter(child, name, stats, device)
      else yield { type: 'entry', path: child, name, stats }
    }
  }

  *#walkSource(path: ByteString, name: ByteString): Generator<SourceEvent, void, undefined> {
    const stats = this.#look(path)
    if (stats?.isDirectory()) yield* this.#enter(path, name, stats, undefined)
    else if (stats) yield { type: 'entry', path, name, stats }
  }

  /** `device` is that of the source; absent for the source itself. */
  *#enter(
    path: ByteString,
    name: ByteString,
    stats: BigIntStats,
    device: bigint | undefined,
  ): Generator<SourceEvent, void, undefined> {
    const { onLeftOut, oneFileSystem } = this.#options
    if (this.#leaveOut.some(({ dev, ino }) => dev === stats.dev && ino === stats.ino)) return onLeftOut(path)
    yield { type: 'enter', path, name, stats, isAncestor: false }
    if (device === undefined) yield* this.#walkSourceDirectory(path, stats.dev)
    else if (!oneFileSystem || stats.dev === device) yield* this.#walkDirectory(path, device)
    yield { type: 'leave', path }
  }

  #list(path: ByteString): ByteString[] | undefined {
    return this.#try(path, () => readdirSync(pathForFs(path), { encoding: 'latin1' }) as ByteString[])
  }

  /** Without `#try`, whose functions are dear where there are many entries. */
  #look(path: ByteString): BigIntStats | undefined {
    try {
      return lstatSync(pathForFs(path), LSTAT_OPTIONS)
    } catch (error) {
      this.#options.onError(path, error)
      return undefined
    }
  }

  #try<T>(path: ByteString, call: () => T): T | undefined {
    try {
      return call()
    } catch (error) {
      this.#options.onError(path, error)
      return undefined
    }
  }
}

const LSTAT_OPTIONS = { bigint: true } as const

/** Nothing for what cannot be looked at, or cannot be there, as below a file: the walk will not come to it either. */
function lookThroughLinks(path: ByteString): BigIntStats | undefined {
  try {
    return statSync(fromByteString(path), { bigint: true })
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return undefined
  }
}
