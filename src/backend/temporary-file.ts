import type { FileSystem, NewFile } from './file-system.ts'

/** A file under a name that nobody looks at, until it is complete. Errors are those of the file system. */
export class TemporaryFile {
  readonly path: string
  readonly #files: FileSystem
  readonly #file: NewFile
  #appends: Promise<void> = Promise.resolve()
  #isOpen = true
  #isThere = true

  private constructor(files: FileSystem, path: string, file: NewFile) {
    this.path = path
    this.#files = files
    this.#file = file
  }

  static async create(files: FileSystem, path: string, isLarge: boolean): Promise<TemporaryFile> {
    return new TemporaryFile(files, path, await files.create(path, isLarge))
  }

  /** One call after another, in the order of the calls. Once one has failed, so do all that follow. */
  append(parts: readonly Uint8Array[]): Promise<void> {
    this.#appends = this.#appends.then(() => this.#file.write(parts))
    this.#appends.catch(() => {}) // reported by what comes after it, too
    return this.#appends
  }

  /** Closes it, `durable` or not. What failed is never tried again: the kernel may have dropped its pages (FORMAT.md §10). */
  async finish(durable: boolean): Promise<void> {
    await this.#appends
    if (durable) await this.#file.sync()
    await this.#close()
  }

  /** Removes the name, and the file unless it has another. Never rejects: what stays is a leftover for prune. */
  async discard(): Promise<void> {
    await this.#appends.catch(() => {})
    await this.#close().catch(() => {})
    if (!this.#isThere) return
    this.#isThere = false
    await this.#files.remove(this.path).catch(() => {})
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#file.close()
  }
}
