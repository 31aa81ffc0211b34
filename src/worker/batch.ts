/** Enough chunks to be hashed at once, and few enough to be in the processor's cache still when they are used. */
const BATCH_BYTES = 2 * 2 ** 20

/**
 * Where the things of one batch end that lie one behind the other from 0 on: those of `lengths` from `first` on, at least one,
 * no more than some MiB, and only while `belongs` says so.
 */
export function batchEnds(
  lengths: readonly number[],
  first: number,
  belongs: (i: number) => boolean = () => true,
): Uint32Array {
  const ends: number[] = []
  for (let i = first, end = 0; i < lengths.length; i++) {
    end += lengths[i]!
    if (i > first && (end > BATCH_BYTES || !belongs(i))) break
    ends.push(end)
  }
  return Uint32Array.from(ends)
}
