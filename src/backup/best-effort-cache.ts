import type { ByteString } from '../base/bytes.ts'
import { errnoOf, reasonOf } from '../base/errors.ts'
import type { ObjectId } from '../base/ids.ts'
import { type CachedEntry, FileCacheWriter, pruneFileCaches } from './file-cache.ts'

/**
 * A file cache that is written if it can be: without it the next backup is slower, and no worse. The first file call that
 * fails ends it, and `notice` hears why; none of its methods throws for that.
 */
export class BestEffortCache implements Disposable {
  readonly #cacheDirectory: string
  readonly #startMs: number
  readonly #notice: (text: string) => void
  #writer: FileCacheWriter | undefined

  constructor(cacheDirectory: string, startMs: number, notice: (text: string) => void) {
    this.#cacheDirectory = cacheDirectory
    this.#startMs = startMs
    this.#notice = notice
    this.#attempt(() => {
      this.#writer = new FileCacheWriter(cacheDirectory, startMs)
    })
  }

  enter(name: ByteString): void {
    this.#attempt(() => this.#writer?.enter(name))
  }

  entry(name: ByteString, cached: CachedEntry): void {
    this.#attempt(() => this.#writer?.entry(name, cached))
  }

  leave(cached: CachedEntry): void {
    this.#attempt(() => this.#writer?.leave(cached))
  }

  /** Makes it the cache of a root tree, and removes those of others that `keep` does not want. */
  commit(tree: ObjectId, keep: (tree: string) => boolean): void {
    this.#attempt(() => this.#writer?.commit(tree))
    if (!this.#writer) return // what is there already is all that there will be
    try {
      pruneFileCaches(this.#cacheDirectory, this.#startMs, keep)
    } catch (error) {
      this.#notice(`cannot remove what is remembered of earlier backups (${reasonOfCall(error)})`)
    }
  }

  [Symbol.dispose](): void {
    const writer = this.#writer
    this.#writer = undefined
    try {
      writer?.[Symbol.dispose]()
    } catch (error) {
      reasonOfCall(error) // what stays is removed after a week
    }
  }

  #attempt(act: () => void): void {
    try {
      act()
    } catch (error) {
      const reason = reasonOfCall(error)
      this[Symbol.dispose]() // at once: the disk may be full
      this.#notice(`cannot remember the files for the next backup (${reason}): it will read everything again`)
    }
  }
}

/** Throws what is no failed file call. */
function reasonOfCall(error: unknown): string {
  if (errnoOf(error) === undefined) throw error
  return reasonOf(error)
}
