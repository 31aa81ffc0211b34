import { join } from 'node:path'
import type { Backend } from '../backend/backend.ts'
import { ChainkeepError, isCode } from '../base/errors.ts'
import { decodeSettings, encodeSettings, MAX_SETTINGS_BYTES, type Settings } from '../format/settings.ts'
import { readBounded } from './read-bounded.ts'

/** What writers are to do; without the file, what they do by themselves. Rejects UNSUPPORTED, or TRUNCATED, BAD_FORMAT, CORRUPT for damage. */
export async function readSettings(backend: Backend): Promise<Settings> {
  const file = join(backend.location, 'settings')
  try {
    return decodeSettings(await readBounded(backend, 'settings', '', MAX_SETTINGS_BYTES), file)
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return { parityPercent: 0 }
    if (!isCode(error, 'TRUNCATED', 'BAD_FORMAT', 'CORRUPT')) throw error
    const message = `${file} is damaged: "chainkeep parity PERCENT" writes it again (0 for none)`
    throw new ChainkeepError(error.code, message, error.details, error)
  }
}

/** Durable once resolved. A lock must be held. */
export async function writeSettings(backend: Backend, settings: Settings): Promise<void> {
  await backend.replace('settings', '', [encodeSettings(settings)])
}
