/** What kind of file: each has its own folder (FORMAT.md §1). In `tmp` lies what is not published yet: nobody puts there. */
export type FileKind =
  | 'config'
  | 'settings'
  | 'reserve'
  | 'data'
  | 'meta'
  | 'parity'
  | 'snapshots'
  | 'condemned'
  | 'locks'
  | 'tmp'

/**
 * Immutable named files in one place. Knows nothing of chunks, packs or snapshots.
 * Names are 1 to 64 lower-case hex digits; the one file of kind `config`, `settings` or `reserve` is called by the empty name.
 */
export interface Backend extends AsyncDisposable {
  /** Where it is, for people. */
  readonly location: string
  /** A folder of the repository on this machine, for what is derived from it (the index); remote backends have none. */
  readonly localDirectory: string | undefined
  /** What the names of its unpublished files in `tmp` begin with: 16 random digits. */
  readonly writer: string
  /** Stores the concatenation of `parts` (borrowed until settled), all or nothing; durable once resolved. Rejects EXISTS, NO_SPACE, DENIED, IO. */
  put(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void>
  /** As `put`, but in the place of the file of that name, if there is one: at any time there is the old one or the new. Rejects NO_SPACE, DENIED, IO. */
  replace(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void>
  /** As `put`, but not durable: for what may be lost with the power. */
  putBriefly(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void>
  /** Begins a file whose name is not known yet; from here on it lies in `tmp`. Rejects as `put`. */
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
  /** Gives a file that is not empty the time of now, by the clock of whoever keeps it. Never makes one: rejects NOT_FOUND. */
  touch(kind: FileKind, name: string): Promise<void>
  /** Milliseconds since 1970 by the clock of whoever keeps the files, the one that `FileStat.modifiedMs` goes by. */
  clock(): Promise<number>
}

/** A file that nobody sees before it is published. Ends with one of `publish` and `discard`. */
export interface UnnamedFile {
  /** Appends `parts`, borrowed until settled; one call after another, in the order of the calls. Rejects as `put`. */
  append(parts: readonly Uint8Array[]): Promise<void>
  /**
   * Gives it its name, all or nothing; durable once resolved. Rejects as `put`, if an `append` has failed, and NOT_FOUND if
   * somebody has removed it from `tmp`: whoever does so keeps it from ever getting its name.
   */
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
