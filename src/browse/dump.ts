import { mapOrdered } from '../base/async.ts'
import { ChainkeepError } from '../base/errors.ts'
import { ID_BYTES, type ObjectId, objectIdAt } from '../base/ids.ts'
import type { FileNode } from '../format/node.ts'
import { type LoadObject, walkChunks } from '../repository/lists.ts'

/** Chunks that are read while the consumer is busy with one: at most 2 MiB of them. */
const CHUNKS_AHEAD = 8

/**
 * The bytes of a file, in order, chunk by chunk, each checked against its id. The consumer owns them. Rejects NOT_FOUND or
 * CORRUPT where something is missing or damaged.
 */
export async function* dumpFile(load: LoadObject, file: FileNode): AsyncGenerator<Uint8Array, void, undefined> {
  yield* mapOrdered(listChunks(load, file), CHUNKS_AHEAD, async ({ id, length }) => {
    const bytes = await load('chunk', id)
    if (bytes.length === length) return bytes
    throw new ChainkeepError('CORRUPT', `chunk ${id} has ${bytes.length} bytes where ${length} should be`, { id })
  })
}

async function* listChunks(load: LoadObject, file: FileNode): AsyncGenerator<{ id: ObjectId; length: number }> {
  for await (const { ids, lengths } of walkChunks(load, file.content, file.size))
    for (const [i, length] of lengths.entries()) yield { id: objectIdAt(ids, i * ID_BYTES), length }
}
