import { randomBytes } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ByteString } from '../base/bytes.ts'
import { makeDirectories } from '../base/directories.ts'
import { errnoOf, reasonOf } from '../base/errors.ts'
import { shake256 } from '../native/hash.ts'
import type { Part } from '../worker/cut.ts'
import { fileSignature, isRacy } from '../worker/file-signature.ts'
import { JournalReader, JournalWriter, type PartChunks, type ReadPart } from './journal-file.ts'

export interface JournalOptions {
  readonly cacheDirectory: string
  readonly host: string
  readonly paths: readonly ByteString[]
  /** Whether every file is to be read, so that only what another such backup has read counts. */
  readonly isFull: boolean
  readonly startMs: number
  /** Hears that an unfinished backup is continued, and what keeps this one from being so. */
  readonly notice: (text: string) => void
}

/** What a run that came to nothing has left is of use for so long. */
const KEPT_FOR_MS = 7 * 24 * 3600 * 1000
/** One that got farther than those before it says all that they do. */
const MOST_READ = 4

/**
 * Notes what a backup has read, for the next one of the same host and paths should this one not finish; and knows what those
 * before it noted that did not. It believes nothing but that a file with the same signature has the same content, and
 * whoever asks makes sure that the chunks are stored. Best effort: what keeps it from being written keeps nothing else from working.
 */
export class Journal implements Disposable {
  readonly #options: JournalOptions
  readonly #folder: string
  readonly #file: string
  readonly #earlier: readonly JournalFile[]
  readonly #readers: JournalReader[] = []
  #writer: JournalWriter | undefined
  #failed = false

  constructor(options: JournalOptions) {
    this.#options = options
    this.#folder = join(options.cacheDirectory, 'journals')
    const group = groupOf(options)
    this.#file = join(this.#folder, `${group}-${options.isFull ? 'full' : 'part'}-${randomBytes(8).toString('hex')}`)
    this.#earlier = listJournals(this.#folder)
    const usable = this.#earlier.filter(
      (journal) =>
        journal.group === group && (journal.isFull || !options.isFull) && isYoung(journal.mtimeMs, options.startMs),
    )
    for (const { file } of usable.slice(0, MOST_READ)) {
      const reader = openReader(file)
      if (reader) this.#readers.push(reader)
    }
    if (this.#readers.length > 0)
      options.notice('a backup of these paths did not finish: what it has read and stored is not read again')
  }

  /** The chunks of a part of a file, if it was read as it is now. Parts must be asked for in the order of the walk. */
  find(path: ByteString, stats: BigIntStats, { offset, length }: Part): PartChunks | undefined {
    const signature = fileSignature(stats)
    for (const reader of this.#readers) {
      const found = reader.find(path, signature, offset, length)
      if (found && !isRacy(stats, reader.startMs!)) return found
    }
    return undefined
  }

  /** Notes a part that was read. In the order of the walk. */
  add(part: ReadPart): void {
    if (this.#failed) return
    this.#attempt(() => {
      this.#writer ??= this.#begin()
      this.#writer.add(part)
    })
  }

  /** The backup is published: nothing is left to go on with here, nor in those before that it went on from. */
  finish(): void {
    const { startMs, isFull } = this.#options
    this[Symbol.dispose]()
    for (const { file, mtimeMs, ...journal } of this.#earlier) {
      const isDone = journal.group === groupOf(this.#options) && (isFull || !journal.isFull)
      if (isDone || !isYoung(mtimeMs, startMs)) removeQuietly(file)
    }
    removeQuietly(this.#file)
  }

  /** Leaves it to the next backup. */
  [Symbol.dispose](): void {
    const writer = this.#writer
    this.#writer = undefined
    for (const reader of this.#readers.splice(0)) reader.close()
    this.#attempt(() => writer?.close())
  }

  #begin(): JournalWriter {
    makeDirectories(this.#folder)
    return new JournalWriter(this.#file, this.#options.startMs)
  }

  /** What is written already stays. */
  #attempt(act: () => void): void {
    try {
      act()
    } catch (error) {
      if (errnoOf(error) === undefined) throw error
      this.#failed = true
      this.#options.notice(
        `cannot note what is done (${reasonOf(error)}): should this backup not finish, the next one reads it again`,
      )
    }
  }
}

interface JournalFile {
  readonly file: string
  readonly group: string
  readonly isFull: boolean
  readonly mtimeMs: number
}

/** The latest first; none where they cannot be listed. */
function listJournals(folder: string): JournalFile[] {
  try {
    return readdirSync(folder)
      .flatMap((name) => {
        const [, group, kind] = /^([0-9a-f]{16})-(full|part)-[0-9a-f]{16}$/.exec(name) ?? []
        const stats = statSync(join(folder, name), { throwIfNoEntry: false })
        if (!group || !stats?.isFile()) return []
        return [{ file: join(folder, name), group, isFull: kind === 'full', mtimeMs: stats.mtimeMs }]
      })
      .sort((a, b) => b.mtimeMs - a.mtimeMs)
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return []
  }
}

/** `undefined` for what is no journal, or cannot be opened. */
function openReader(file: string): JournalReader | undefined {
  try {
    const reader = new JournalReader(file)
    if (reader.startMs !== undefined) return reader
    reader.close()
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
  }
  return undefined
}

/** What stays is removed later. */
function removeQuietly(file: string): void {
  try {
    rmSync(file, { force: true })
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
  }
}

const isYoung = (mtimeMs: number, startMs: number): boolean => mtimeMs > startMs - KEPT_FOR_MS

const groupOf = ({ host, paths }: JournalOptions): string =>
  Buffer.from(shake256(Buffer.from([host, ...paths].join('\0')))).toString('hex', 0, 8)
