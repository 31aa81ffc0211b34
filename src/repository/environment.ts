/** What the outside world tells the library, so that nothing below reads a clock or the process's environment. */
export interface Environment {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly host: string
  readonly user?: string
  /** Written into snapshots: `chainkeep 0.1.0`. */
  readonly program: string
  /** Folder for what is remembered between runs on this machine; may not exist yet. */
  readonly cacheDirectory: string
  /** Hears, in one sentence, of what the user may want to know and need not act on. */
  readonly notice: (text: string) => void
}
