import { ChainkeepError } from '../base/errors.ts'
import { decodePack, type PackName } from '../format/pack.ts'
import { packObjects } from './packed-objects.ts'
import type { Tools } from './tools.ts'
import { openObjects } from './verify.ts'

/**
 * Makes sure that `bytes` are the pack of that name, whole and nothing else, and that every object in it has its id. Answers how
 * many there are. Throws TRUNCATED, BAD_FORMAT or CORRUPT.
 */
export function requireSoundPack(bytes: Uint8Array, pack: PackName, tools: Tools): number {
  const file = `${pack.packClass}/${pack.id}`
  const objects = decodePack(bytes, pack, file)
  const task = { bytes, file, offset: 0, objects: packObjects(objects) }
  for (const { failures } of openObjects(task, tools, true))
    for (const { code, message } of failures) throw new ChainkeepError(code, message, { file })
  return objects.length
}
