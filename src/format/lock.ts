import { ChainkeepError } from '../base/errors.ts'
import type { ProcessMark } from '../base/processes.ts'

/** A file in `locks/`: FORMAT.md §9: JSON, so that an operator can read it. */
export interface LockFile extends ProcessMark {
  readonly mode: LockMode | 'interrupted'
  /** When it began, in milliseconds since 1970 by the clock of whoever keeps the files. */
  readonly sinceMs: number
  /** `interrupted`: when it ended, at the latest. */
  readonly untilMs?: number
  /** What the names of its unfinished files begin with: see `Backend.writer`. */
  readonly writer: string
  /** Names of the condemned records of which it uses no pack. */
  readonly knows: readonly string[]
}

/**
 * `read`: needs packs to stay. `write`: adds packs and snapshots, too. `prune`: removes packs; one at a time.
 * (`interrupted` is what a `write` leaves that stored packs and published nothing.)
 */
export type LockMode = 'read' | 'write' | 'prune'

/** Nothing larger is read. */
export const MAX_LOCK_BYTES = 65_536
/** So that a lock fits into MAX_LOCK_BYTES. To know less than could be known is safe. */
const MAX_KNOWN = 1000

export function encodeLock(lock: LockFile): Uint8Array {
  const knows = lock.knows.slice(0, MAX_KNOWN)
  return Buffer.from(`${JSON.stringify({ version: 2, ...lock, knows })}\n`)
}

/** Strict inverse. Throws BAD_FORMAT for damage, UNSUPPORTED for another version. */
export function decodeLock(bytes: Uint8Array, file: string): LockFile {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (error) {
    throw notALock(file, error)
  }
  if (isObject(value) && typeof value.version === 'number' && value.version !== 2) {
    const reason = `a lock of version ${value.version}, whose holder this chainkeep cannot work beside`
    const advice = 'remove it if nobody is at work in the repository'
    throw new ChainkeepError('UNSUPPORTED', `${file}: ${reason}; ${advice}`, { file })
  }
  if (!isObject(value) || value.version !== 2 || !isLock(value)) throw notALock(file)
  const { mode, host, pid, machine, boot, space, started, sinceMs, untilMs, writer, knows } = value
  const lock = { mode, host, pid, machine, boot, space, started, sinceMs, writer, knows }
  return untilMs === undefined ? lock : { ...lock, untilMs }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function isLock(value: Record<string, unknown>): value is Record<string, unknown> & LockFile {
  const { mode, host, pid, machine, boot, space, started, sinceMs, untilMs, writer, knows } = value
  return (
    typeof mode === 'string' &&
    MODES.has(mode) &&
    [host, machine, boot, space, started].every((text) => typeof text === 'string') &&
    typeof pid === 'number' &&
    Number.isSafeInteger(pid) &&
    pid >= 1 &&
    isTime(sinceMs) &&
    (mode === 'interrupted' ? isTime(untilMs) : untilMs === undefined) &&
    typeof writer === 'string' &&
    /^[0-9a-f]{16}$/.test(writer) &&
    Array.isArray(knows) &&
    knows.every((name) => typeof name === 'string')
  )
}

const MODES: ReadonlySet<string> = new Set(['read', 'write', 'prune', 'interrupted'])

const isTime = (value: unknown): boolean => typeof value === 'number' && Math.abs(value) <= MAX_TIME_MS

/** What a `Date` can hold. */
const MAX_TIME_MS = 8.64e15

function notALock(file: string, cause?: unknown): ChainkeepError {
  return new ChainkeepError('BAD_FORMAT', `${file}: not a lock`, { file }, cause)
}
