/** The process as the command line sees it, so that tests can run commands without one. */
export interface Io {
  readonly stdin: AsyncIterable<Uint8Array>
  readonly stdout: Sink
  readonly stderr: Sink
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly host: string
  readonly user?: string
  readonly homeDirectory: string
  readonly platform: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Aborted by SIGINT, SIGTERM, or when stdout takes no more: with BROKEN_PIPE, or a ChainkeepError that says why, as its reason. */
  readonly signal: AbortSignal
}

export interface Sink {
  readonly isTerminal: boolean
  /** Columns of the terminal; 80 where there is none. */
  readonly columns: number
  write(content: string | Uint8Array): void
  /** Resolves when the sink takes more. */
  drain(): Promise<void>
  /** Resolves when all is written, or never will be. */
  flush(): Promise<void>
}

/** The columns that tables must fit: those of a terminal; what goes elsewhere keeps every character. */
export function tableColumns({ isTerminal, columns }: Sink): number | undefined {
  return isTerminal ? columns : undefined
}

/** The reason of `Io.signal` when nobody reads stdout any more. */
export const BROKEN_PIPE = 'broken pipe'
