import { type ChainkeepError, isCode } from '../base/errors.ts'

/**
 * Whether `error` says that one stored file or object is gone, damaged or beyond this version, while others may be sound.
 * Anything else (a disk that reports errors, missing permission) says nothing about what is stored.
 */
export function isDamage(error: unknown): error is ChainkeepError {
  return isCode(error, 'NOT_FOUND', 'TRUNCATED', 'BAD_FORMAT', 'CORRUPT', 'UNSUPPORTED')
}

/** Whether `error` is about one stored file or object, for whatever reason: enough to name it and look at the others. */
export function isUnreadable(error: unknown): error is ChainkeepError {
  return isDamage(error) || isCode(error, 'IO', 'DENIED')
}
