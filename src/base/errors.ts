import { getSystemErrorMap } from 'node:util'

/** What went wrong, for callers to branch on. The text of an error is for people; only the code is a promise. */
export type ErrorCode =
  | 'USAGE' // the caller asked for something that makes no sense
  | 'REFUSED' // possible, but it would lose something; the message says which flag insists
  | 'NO_REPOSITORY' // nothing there
  | 'NOT_A_REPOSITORY' // something else is there
  | 'EXISTS' // a stored file of that name, or a repository, is already there
  | 'UNSUPPORTED' // a newer format or a feature this version lacks
  | 'LOCKED' // somebody else is at work
  | 'NOT_FOUND' // a stored file, a snapshot or a path in one is not there
  | 'TRUNCATED' // a stored file is shorter than it says
  | 'BAD_FORMAT' // bytes that do not decode
  | 'CORRUPT' // bytes that decode, but are not what their id, checksum or neighbours say
  | 'BAD_ID' // text that is no id, or fits several
  | 'DENIED' // the operating system refused
  | 'NO_SPACE' // the disk is full
  | 'IO' // any other failed file call
  | 'INTERRUPTED' // stopped by the caller's signal

/** The one class of error that chainkeep throws on purpose. */
export class ChainkeepError extends Error {
  readonly code: ErrorCode
  /** Facts for machines: file, offset, path, id … */
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, details: Record<string, unknown> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ChainkeepError'
    this.code = code
    this.details = details
  }
}

export function isCode(error: unknown, ...codes: ErrorCode[]): error is ChainkeepError {
  return error instanceof ChainkeepError && codes.includes(error.code)
}

/** The errno name (`ENOENT`, …) of an error thrown by node:fs; `undefined` for any other, of Node's own (`ERR_…`) or ours. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof ChainkeepError || !('code' in error)) return undefined
  return typeof error.code === 'string' && !error.code.startsWith('ERR_') ? error.code : undefined
}

/** Turns an error of node:fs into ours: `what` is the sentence's subject, such as `cannot write /repo/config`. */
export function fileError(what: string, error: unknown, details: Record<string, unknown> = {}): ChainkeepError {
  if (error instanceof ChainkeepError) return error
  const errno = errnoOf(error)
  const reason = ERRNO_REASONS[errno ?? ''] ?? (error instanceof Error ? messageOf(error) : String(error))
  return new ChainkeepError(ERRNO_CODES[errno ?? ''] ?? 'IO', `${what}: ${reason}`, { ...details, errno }, error)
}

/** Why a call of the system's failed, for people, without what it was about. */
export function reasonOf(error: unknown): string {
  return fileError('', error).message.replace(/^: /, '')
}

/** Without the call and the path, which node:fs writes into its messages. */
const messageOf = (error: Error): string =>
  ('errno' in error && getSystemErrorMap().get(Number(error.errno))?.[1]) || error.message

const ERRNO_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'NOT_FOUND',
  EACCES: 'DENIED',
  EPERM: 'DENIED',
  EROFS: 'DENIED',
  ENOSPC: 'NO_SPACE',
  EDQUOT: 'NO_SPACE',
  EEXIST: 'EXISTS',
}

const ERRNO_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'it exists already',
  EISDIR: 'it is a directory',
  ENOTDIR: 'it is not a directory',
  ELOOP: 'a symbolic link is in the way',
  EIO: 'the device reported an input/output error',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  ENOTSUP: 'the file system does not support it',
  ENAMETOOLONG: 'the path is too long',
}

/** Rejects INTERRUPTED once `signal` is aborted; call it between steps of long work. */
export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ChainkeepError('INTERRUPTED', 'interrupted')
}
