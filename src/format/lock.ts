import { ChainkeepError } from '../base/errors.ts'

/** A lock file: FORMAT.md §9: JSON, so that an operator can read it. */
export interface LockFile {
  readonly mode: LockMode
  readonly host: string
  readonly pid: number
  /** When it was last renewed, in milliseconds since 1970. */
  readonly timeMs: number
}

/** `write`: adds packs and snapshots; any number at once. `prune`: removes packs; alone. */
export type LockMode = 'write' | 'prune'

/** A lock is some 100 bytes; nothing larger is read. */
export const MAX_LOCK_BYTES = 65_536

export function encodeLock(lock: LockFile): Uint8Array {
  return Buffer.from(`${JSON.stringify({ version: 1, ...lock })}\n`)
}

/** Strict inverse. Throws BAD_FORMAT. */
export function decodeLock(bytes: Uint8Array, file: string): LockFile {
  const fail = (cause?: unknown): never => {
    throw new ChainkeepError(
      'BAD_FORMAT',
      `${file}: not a lock; remove it if nobody is at work in the repository`,
      { file },
      cause,
    )
  }
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (error) {
    return fail(error)
  }
  if (typeof value !== 'object' || value === null) return fail()
  const { version, mode, host, pid, timeMs } = value as Record<string, unknown>
  if (version !== 1 || (mode !== 'write' && mode !== 'prune') || typeof host !== 'string') return fail()
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 1) return fail()
  if (typeof timeMs !== 'number' || !(Math.abs(timeMs) <= MAX_TIME_MS)) return fail()
  return { mode, host, pid, timeMs }
}

/** What a `Date` can hold. */
const MAX_TIME_MS = 8.64e15
