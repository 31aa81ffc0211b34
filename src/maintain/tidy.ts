import { isCode } from '../base/errors.ts'
import type { Repository } from '../repository/repository.ts'
import type { Session, Sessions } from '../repository/sessions.ts'

/** Files in `tmp/` that nobody is known to write are left over after this. */
const LEFTOVER_MS = 3_600_000

/** Writers that are at work, and those that did not come to an end, for so long. */
export function writersToSpare({ alive, interrupted, nowMs }: Sessions, keepMs: number): Session[] {
  return [
    ...alive.filter(({ mode }) => mode === 'write'),
    ...interrupted.filter(({ seenMs }) => nowMs - seenMs < keepMs),
  ]
}

/** Removes notes of interrupted writers that are not spared any more, and leftover files. Returns how many files there were. */
export async function tidy(
  { backend }: Repository,
  { alive, interrupted, nowMs }: Sessions,
  spared: readonly Session[],
): Promise<number> {
  for (const note of interrupted) if (!spared.includes(note)) await backend.remove('locks', note.name)
  const writers = new Set([backend.writer, ...alive.map(({ writer }) => writer)])
  let count = 0
  for await (const name of backend.list('tmp')) {
    if (writers.has(name.slice(0, backend.writer.length))) continue
    if (nowMs - (await timeOf(backend, name)) < LEFTOVER_MS) continue
    await backend.remove('tmp', name)
    count++
  }
  return count
}

/** Of a file that is gone by now: never. */
async function timeOf(backend: Repository['backend'], name: string): Promise<number> {
  try {
    return (await backend.stat('tmp', name)).modifiedMs
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return Number.POSITIVE_INFINITY
    throw error
  }
}
