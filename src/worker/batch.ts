/** Many chunks to be hashed at once, and few enough to be in the processor's cache still when they are used. */
const BATCH_BYTES = 4 * 2 ** 20

/**
 * Where the things of one batch end that lie one behind the other from 0 on: those of `lengths` from `first` on, at least one,
 * no more than some MiB, and only while `belongs` says so. What takes several batches is divided evenly: hashing few chunks
 * at once leaves lanes idle.
 */
export function batchEnds(
  lengths: readonly number[],
  first: number,
  belongs: (i: number) => boolean = () => true,
): Uint32Array {
  let last = first
  let bytes = 0
  do bytes += lengths[last++]!
  while (last < lengths.length && belongs(last))
  const share = bytes / Math.ceil(bytes / BATCH_BYTES)

  const ends: number[] = []
  for (let i = first, end = 0; i < last && (i === first || end + lengths[i]! <= BATCH_BYTES) && end < share; i++) {
    end += lengths[i]!
    ends.push(end)
  }
  return Uint32Array.from(ends)
}
