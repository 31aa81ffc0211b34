/** What kind of file: each has its own folder (FORMAT.md §1). */
export type FileKind = 'config' | 'settings' | 'data' | 'meta' | 'parity' | 'snapshots' | 'locks'

/**
 * Immutable named files in one place. Knows nothing of chunks, packs or snapshots.
 * Names are 1 to 64 lower-case hex digits; the one file of kind `config`, or `settings`, is called by the empty name.
 */
export interface Backend extends AsyncDisposable {
  /** Where it is, for people. */
  readonly location: string
  /** A folder of the repository on this machine, for what is derived from it (the index); remote backends have none. */
  readonly localDirectory: string | undefined
  /** Stores the concatenation of `parts` (borrowed until settled), all or nothing; durable once resolved. Rejects EXISTS, NO_SPACE, DENIED, IO. */
  put(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void>
  /** As `put`, but in the place of the file of that name, if there is one: at any time there is the old one or the new. Rejects NO_SPACE, DENIED, IO. */
  replace(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void>
  /** Begins a file whose name is not known yet. Rejects as `put`. */
  begin(kind: FileKind): Promise<UnnamedFile>
  /**
   * Reads the whole file, or `length` bytes at `offset`. Rejects NOT_FOUND, TRUNCATED. The caller owns the result, which
   * lies in memory of its own, or else at the start of `into`.
   */
  get(kind: FileKind, name: string, range?: ByteRange): Promise<Uint8Array>
  /** Rejects NOT_FOUND. */
  stat(kind: FileKind, name: string): Promise<FileStat>
  /** The names of every file of one kind, once each, in no particular order. Files with other names are passed over. */
  list(kind: FileKind): AsyncIterable<string>
  /** Succeeds if the file is already gone; durable once resolved. */
  remove(kind: FileKind, name: string): Promise<void>
  /** Deletes what unfinished puts have left behind. Only while nobody else writes. Returns how many files. */
  removeLeftovers(): Promise<number>
}

/** A file that nobody sees before it is published. Ends with one of `publish` and `discard`. */
export interface UnnamedFile {
  /** Appends `parts`, borrowed until settled; one call after another, in the order of the calls. Rejects as `put`. */
  append(parts: readonly Uint8Array[]): Promise<void>
  /** Gives it its name, all or nothing; durable once resolved. Rejects as `put`, and if an `append` has failed. */
  publish(name: string): Promise<void>
  /** Never rejects. */
  discard(): Promise<void>
}

export interface FileStat {
  /** Length in bytes. */
  readonly size: number
  /** When it was written, in milliseconds since 1970, by the clock of whoever keeps it. */
  readonly modifiedMs: number
}

export interface ByteRange {
  readonly offset: number
  readonly length: number
  /** Where the bytes go, at least as long as they: borrowed until settled, and undefined should that fail. */
  readonly into?: Uint8Array
}
