import { ChainkeepError, type ErrorCode } from '../base/errors.ts'

/** restic's exit codes, which scripts branch on. */
export const EXIT = {
  done: 0,
  /** The command failed, or found problems. */
  failed: 1,
  usage: 2,
  /** The snapshot was made, without what could not be read. */
  incomplete: 3,
  noRepository: 10,
  locked: 11,
  interrupted: 130,
  /** Nobody reads stdout any more: 128 + SIGPIPE, as a program that the signal ends. */
  brokenPipe: 141,
} as const

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  USAGE: EXIT.usage,
  BAD_ID: EXIT.usage,
  NO_REPOSITORY: EXIT.noRepository,
  NOT_A_REPOSITORY: EXIT.noRepository,
  LOCKED: EXIT.locked,
  INTERRUPTED: EXIT.interrupted,
}

export function exitCodeOf(error: unknown): number {
  return (error instanceof ChainkeepError ? BY_CODE[error.code] : undefined) ?? EXIT.failed
}

/** The exit codes as the help lists them. */
export const EXIT_CODE_HELP: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.done, 'done'],
  [EXIT.failed, 'failed, or problems were found'],
  [EXIT.usage, 'wrong usage'],
  [EXIT.incomplete, 'some source files could not be read (the snapshot is made, and says so)'],
  [EXIT.noRepository, 'there is no repository'],
  [EXIT.locked, 'the repository is locked'],
  [EXIT.interrupted, 'interrupted'],
]
