import { recordLength } from '../format/object.ts'
import type { PackEntry } from '../format/pack.ts'

/** Records that lie one after another in a pack, to be read in one go. */
export interface PackRun {
  readonly offset: number
  readonly bytes: number
  readonly entries: readonly PackEntry[]
}

/** Long enough to read at the speed of any disk, and short enough to have several in memory. */
export const RUN_BYTES: number = 4 * 2 ** 20

/** Joins entries, which are in the order of the pack, where nothing lies between them, up to `maxBytes` (one is never divided). */
export function* packRuns(entries: Iterable<PackEntry>, maxBytes: number = RUN_BYTES): Generator<PackRun> {
  let open: { offset: number; bytes: number; entries: PackEntry[] } | undefined
  for (const entry of entries) {
    const bytes = recordLength(entry)
    if (open && entry.offset === open.offset + open.bytes && open.bytes + bytes <= maxBytes) {
      open.entries.push(entry)
      open.bytes += bytes
    } else {
      if (open) yield open
      open = { offset: entry.offset, bytes, entries: [entry] }
    }
  }
  if (open) yield open
}
