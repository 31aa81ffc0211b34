import { randomBytes } from 'node:crypto'
import type { Backend } from '../backend/backend.ts'
import { isCode } from '../base/errors.ts'

/** Enough for the small files of a prune that deletes a terabyte. */
const RESERVE_BYTES = 128 * 1024

/** Makes room that a prune may use on a disk that is full, unless it is there (FORMAT.md §9). Best effort. */
export async function makeReserve(backend: Backend): Promise<void> {
  if (backend.localDirectory === undefined) return // only a disk gets full
  try {
    await backend.stat('reserve', '')
  } catch {
    await backend.put('reserve', '', [randomBytes(RESERVE_BYTES)]).catch(() => {}) // zeros would take no room on some file systems
  }
}

/** Does what prune cannot do without on a disk that is full: a second time if need be, once the reserve is gone. */
export async function withReserve<T>(backend: Backend, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!isCode(error, 'NO_SPACE')) throw error
    await backend.remove('reserve', '')
    return await act()
  }
}
