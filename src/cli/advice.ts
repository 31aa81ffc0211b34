import { type ChainkeepError, isCode } from '../base/errors.ts'

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

/** What can be done about damage that was come by while something else was asked for. */
export const DAMAGE_ADVICE = '"chainkeep check" tells what else is damaged, "chainkeep help repair" what can be done'

/** Why a command fails, for people, with what to do about it. */
export function explain(error: ChainkeepError): string {
  const { errno } = error.details
  const advice = isPlainDamage(error) ? DAMAGE_ADVICE : typeof errno === 'string' ? ADVICE[errno] : undefined
  return advice === undefined ? error.message : `${error.message}; ${advice}`
}

/** A stored file does not decode, or a stored object is gone; whoever has more to say of it makes it the cause of another error. */
function isPlainDamage(error: ChainkeepError): boolean {
  const { file, kind, id } = error.details
  if (isCode(error, 'TRUNCATED', 'BAD_FORMAT', 'CORRUPT')) return file !== undefined && error.cause === undefined
  return isCode(error, 'NOT_FOUND') && kind !== undefined && id !== undefined
}
