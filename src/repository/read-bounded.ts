import type { Backend, FileKind } from '../backend/backend.ts'
import { ChainkeepError } from '../base/errors.ts'

/** Reads a whole file. Rejects NOT_FOUND, or BAD_FORMAT, and takes no memory for it, if it is longer than `maxBytes`. */
export async function readBounded(
  backend: Backend,
  kind: FileKind,
  name: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const { size } = await backend.stat(kind, name)
  const file = `${kind}/${name}`
  if (size > maxBytes)
    throw new ChainkeepError('BAD_FORMAT', `${file}: ${size} bytes long, where ${maxBytes} are the most`, { file })
  return await backend.get(kind, name, { offset: 0, length: size })
}
