import { mapOrdered } from '../base/async.ts'
import { type ByteString, displayBytes } from '../base/bytes.ts'
import { ChainkeepError, throwIfInterrupted } from '../base/errors.ts'
import type { ObjectId } from '../base/ids.ts'
import { isSafeName } from '../format/node.ts'
import { encodeNode } from '../format/tree.ts'
import { ListBuilder } from '../repository/lists.ts'
import { TreeBuilder } from '../repository/trees.ts'
import type { WriteSession } from '../repository/write-session.ts'
import type { Counters } from './counters.ts'
import type { FileReader } from './read-files.ts'

/**
 * Stores a stream as one file of a snapshot. Memory: three segments. Rejects USAGE for a name that no file can have, and with
 * what the source throws.
 */
export async function storeStream(
  { source, filename }: { source: AsyncIterable<Uint8Array>; filename: ByteString },
  reader: FileReader,
  session: WriteSession,
  nowMs: number,
  counters: Counters,
  signal: AbortSignal | undefined,
): Promise<ObjectId> {
  const names = filename.split('/').filter((name) => name !== '') as ByteString[]
  if (names.length === 0 || !names.every(isSafeName))
    throw new ChainkeepError('USAGE', `${displayBytes(filename)} cannot be the name of a file`, { filename })
  const save = session.saveObject.bind(session)
  const list = new ListBuilder(save)
  const begun = mapOrdered(
    splitSegments(source, reader.segmentBytes),
    2,
    async (bytes) => (await reader.beginBytes(bytes)).result,
  )
  for await (const segment of begun) {
    throwIfInterrupted(signal)
    await list.add(segment.ids, segment.lengths)
  }
  const file = await list.finish()
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  let name = names.pop()!
  let node = encodeNode({ name, type: 'file', mode: 0o600, ...owner, mtimeNs: BigInt(nowMs) * 1_000_000n, ...file })
  counters.file(filename, 'new', file.size)
  for (;;) {
    const builder = new TreeBuilder(save)
    await builder.add(name, node)
    const tree = await builder.finish()
    const parent = names.pop()
    if (parent === undefined) return tree
    name = parent
    node = encodeNode({ name, type: 'directory', mode: 0o700, ...owner, tree })
  }
}

/** Buffers of exactly `length` bytes, but for the last. Each lies in memory of its own. */
async function* splitSegments(
  source: AsyncIterable<Uint8Array>,
  length: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let segment = Buffer.allocUnsafeSlow(length)
  let filled = 0
  for await (let part of source) {
    while (part.length > 0) {
      const count = Math.min(part.length, length - filled)
      segment.set(part.subarray(0, count), filled)
      part = part.subarray(count)
      filled += count
      if (filled < length) continue
      yield segment
      segment = Buffer.allocUnsafeSlow(length)
      filled = 0
    }
  }
  if (filled > 0) yield segment.subarray(0, filled)
}
