import { isCode } from '../base/errors.ts'
import type { PackClass } from '../format/pack.ts'
import type { Repository } from '../repository/repository.ts'

/** Where a device fails it is asked again for ever less, down to a page, which is what disks lose at once. */
const STEPS = [2 ** 20, 2 ** 16, 2 ** 12]

/**
 * All bytes of a file that can be read, in their places; zeros where the device reports errors. Rejects NOT_FOUND, and IO if it
 * can read nothing at all. Memory: the file, up to `maxBytes` of it.
 */
export async function readDamaged(
  { backend }: Repository,
  kind: PackClass | 'parity',
  name: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const length = Math.min(maxBytes, (await backend.stat(kind, name)).size)
  const bytes = new Uint8Array(length)
  let unreadable = 0
  const read = async (offset: number, end: number, steps: readonly number[]): Promise<void> => {
    try {
      bytes.set(await backend.get(kind, name, { offset, length: end - offset }), offset)
    } catch (error) {
      if (!isCode(error, 'IO')) throw error
      const [step, ...smaller] = steps
      if (step === undefined) unreadable += end - offset
      else for (let at = offset; at < end; at += step) await read(at, Math.min(end, at + step), smaller)
      if (unreadable === length) throw error
    }
  }
  await read(0, length, STEPS)
  return bytes
}
