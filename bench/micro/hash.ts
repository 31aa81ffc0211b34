import { randomBytes } from 'node:crypto'
import { ID_BYTES } from '../../src/base/ids.ts'
import { type HashChunks, type Hashes, nobleHashes, opensslHashes } from '../../src/native/hash.ts'
import type { Addon } from '../../src/native/kernel.ts'
import { type RaceOptions, race } from './race.ts'
import { type MicroRow, type MicroTable, megabytesASecond } from './table.ts'

const SLICE_BYTES = 4 << 20
const CHUNK_BYTES = 65_536
/** The slowest hashes less, or it would take minutes. */
const FEW_BYTES = 256 << 10

/** SHA3-256 of a slice as chunks of one length, and of a few chunks only, by every path and library. */
export async function raceHash(addon: Addon | undefined, options: RaceOptions): Promise<MicroTable> {
  const slice = new Uint8Array(randomBytes(SLICE_BYTES))
  const hashers: Record<string, HashChunks> = {
    ...addon?.hashChunks,
    'node:crypto': oneByOne(opensslHashes),
    '@noble/hashes': oneByOne(nobleHashes),
  }
  const shapes = [
    ...[256, 4096, CHUNK_BYTES, 4 * CHUNK_BYTES].map((length) => ({
      name: `chunks of ${length} bytes`,
      length,
      count: SLICE_BYTES / length,
    })),
    ...[1, 2, 4, 8].map((count) => ({ name: `${count} × ${CHUNK_BYTES} bytes`, length: CHUNK_BYTES, count })),
  ]
  const rows: MicroRow[] = []
  for (const { name, length, count } of shapes) {
    const ids = new Uint8Array(count * ID_BYTES)
    const hash = (implementation: string): number => {
      const few = implementation === '@noble/hashes' ? Math.max(1, Math.min(count, FEW_BYTES / length)) : count
      const ends = Uint32Array.from({ length: few }, (_, i) => (i + 1) * length)
      hashers[implementation]!(slice, 0, ends, few, ids, 0)
      return few * length
    }
    const names = Object.fromEntries(Object.keys(hashers).map((hasher) => [hasher, hasher]))
    rows.push({ name, cells: megabytesASecond(await race(names, hash, options)) })
  }
  return { title: 'SHA3-256', note: `MB/s, on one core, of ${SLICE_BYTES >> 20} MiB or of a few chunks a call.`, rows }
}

function oneByOne({ sha3_256 }: Hashes): HashChunks {
  return (bytes, start, ends, count, ids, idsOffset) => {
    for (let i = 0, from = start; i < count; from = ends[i++]!)
      ids.set(sha3_256(bytes.subarray(from, ends[i])), idsOffset + i * ID_BYTES)
  }
}
