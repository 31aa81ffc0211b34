import { isCode } from '../base/errors.ts'
import type { Repository } from '../repository/repository.ts'
import { listSessions, type Session, type Sessions } from '../repository/sessions.ts'

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
export async function tidy(repository: Repository, sessions: Sessions, spared: readonly Session[]): Promise<number> {
  const { backend } = repository
  for (const note of sessions.interrupted) if (!spared.includes(note)) await backend.remove('locks', note.name)
  const names = await leftovers(repository, sessions)
  for (const name of names) await backend.remove('tmp', name)
  return names.length
}

/** How many files a prune would remove from `tmp/`; 0 where nothing can be written, and so nothing removed. */
export async function countLeftovers(repository: Repository): Promise<number> {
  const { backend, environment } = repository
  try {
    for await (const _ of backend.list('tmp'))
      return (await leftovers(repository, await listSessions(backend, environment))).length
    return 0 // most often: then nobody has to be asked who is at work
  } catch (error) {
    if (isCode(error, 'DENIED', 'NO_SPACE', 'NOT_FOUND')) return 0
    throw error
  }
}

async function leftovers({ backend }: Repository, { alive, nowMs }: Sessions): Promise<string[]> {
  const writers = new Set([backend.writer, ...alive.map(({ writer }) => writer)])
  const names: string[] = []
  for await (const name of backend.list('tmp'))
    if (!writers.has(name.slice(0, backend.writer.length)) && nowMs - (await timeOf(backend, name)) >= LEFTOVER_MS)
      names.push(name)
  return names
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
