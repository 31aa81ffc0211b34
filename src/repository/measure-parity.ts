import type { Backend } from '../backend/backend.ts'
import { isCode } from '../base/errors.ts'

/** Bytes of all parity on the disk. What goes meanwhile counts for nothing. */
export async function measureParity(backend: Backend): Promise<number> {
  let bytes = 0
  for await (const name of backend.list('parity')) {
    try {
      bytes += (await backend.stat('parity', name)).size
    } catch (error) {
      if (!isCode(error, 'NOT_FOUND')) throw error
    }
  }
  return bytes
}
