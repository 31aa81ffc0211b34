import { SEGMENT_BYTES } from '../../src/chunker/fastcdc.ts'
import { type CutParameters, createFindCuts, endsAtMost } from '../../src/native/scan.ts'

/** The ends of the chunks of one whole segment. Throws RangeError for more bytes than a segment has. */
export function splitBytes(bytes: Uint8Array, parameters: CutParameters): Uint32Array {
  if (bytes.length > SEGMENT_BYTES) throw new RangeError(`${bytes.length} bytes are more than a segment`)
  const ends = new Uint32Array(endsAtMost(bytes.length, parameters))
  return ends.subarray(0, createFindCuts(parameters)(bytes, 0, bytes.length, true, ends))
}

/**
 * Cuts a file's bytes, from its beginning to its end, into chunks. How the source splits them makes no difference. The
 * source's buffers are borrowed until the next is asked for; each chunk is the consumer's. Holds up to two maxBytes.
 * The plain way, which the threads' is held against.
 */
export async function* splitStream(
  source: AsyncIterable<Uint8Array>,
  parameters: CutParameters,
): AsyncGenerator<Uint8Array, void, undefined> {
  const findCuts = createFindCuts(parameters)
  const buffer = new Uint8Array(2 * parameters.maxBytes)
  const ends = new Uint32Array(endsAtMost(buffer.length, parameters))
  let filled = 0
  let leftInSegment = SEGMENT_BYTES

  /** Hands out the chunks that are certain, and moves the rest to the front. */
  function* takeChunks(last: boolean): Generator<Uint8Array> {
    const count = findCuts(buffer, 0, filled, last, ends)
    let start = 0
    for (const end of ends.subarray(0, count)) {
      yield buffer.slice(start, end)
      start = end
    }
    buffer.copyWithin(0, start, filled)
    filled -= start
  }

  for await (let rest of source) {
    while (rest.length > 0) {
      const taken = Math.min(rest.length, buffer.length - filled, leftInSegment)
      buffer.set(rest.subarray(0, taken), filled)
      rest = rest.subarray(taken)
      filled += taken
      leftInSegment -= taken
      const segmentEnds = leftInSegment === 0
      if (segmentEnds) leftInSegment = SEGMENT_BYTES
      if (segmentEnds || filled === buffer.length) yield* takeChunks(segmentEnds)
    }
  }
  yield* takeChunks(true)
}
