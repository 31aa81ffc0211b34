/** What is in a golden repository, as `expected.json` beside it says: read from the source when it was made. */
export interface GoldenSnapshot {
  readonly id: string
  readonly time: number
  readonly kind: string
  readonly parent?: string
  readonly tags: readonly string[]
  readonly paths: readonly string[]
  /** All below the one path, depth first, names in bytewise order. */
  readonly entries: readonly GoldenEntry[]
}

export interface GoldenEntry {
  /** Below the source; as `displayBytes` shows it. */
  readonly path: string
  readonly type: string
  readonly mode: string
  readonly uid: number
  readonly gid: number
  /** Nanoseconds since 1970. */
  readonly mtime: string
  readonly size?: number
  /** Of the content. */
  readonly sha3?: string
  readonly target?: string
  /** Major and minor number. */
  readonly device?: readonly [number, number]
  /** The first path, in order, of those that are hard links to the same file. */
  readonly sameAs?: string
  /** Names, and values in hex. */
  readonly attributes?: readonly (readonly [string, string])[]
}

export interface Golden {
  readonly snapshots: readonly GoldenSnapshot[]
}
