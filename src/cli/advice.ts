import type { ChainkeepError } from '../base/errors.ts'

/** What can be done about a call that the system has refused. Whatever was being done can be done again. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'free some space there and run it again',
  EDQUOT: 'free some space there, or raise the quota, and run it again',
  EACCES: 'run it as a user who may, or change the permissions',
  EPERM: 'run it as a user who may',
  EROFS: 'mount it for writing and run it again',
  EIO: 'the disk may be failing: see the system log, run it again, and then "chainkeep check"',
  EMFILE: 'raise the limit (ulimit -n) and run it again',
  ENFILE: 'the whole system has too many files open: close some programs and run it again',
}

/** Why a command fails, for people, with what to do about it. */
export function explain(error: ChainkeepError): string {
  const { errno } = error.details
  const advice = typeof errno === 'string' ? ADVICE[errno] : undefined
  return advice === undefined ? error.message : `${error.message}; ${advice}`
}
