import { ID_BYTES, idBytes, type PackId, packIdAt, type SnapshotId, snapshotIdAt } from '../base/ids.ts'
import { CborMap, cborMap, decodeCbor, encodeCbor } from './cbor.ts'
import { decodeEnvelope, encodeEnvelope } from './envelope.ts'

/** A file in `condemned/`: FORMAT.md §9. Packs that are to be deleted. */
export interface Condemned {
  /** `condemned`: unless a snapshot turns out to need them. `sentenced`: whatever happens. */
  readonly stage: CondemnedStage
  /** Milliseconds since 1970 by the clock of who wrote it, and who that was: for people. */
  readonly timeMs: number
  readonly host: string
  readonly pid: number
  /** Ids, each list sorted. */
  readonly data: readonly PackId[]
  readonly meta: readonly PackId[]
  /** Snapshots that were looked at, and need none of the packs. */
  readonly snapshots: readonly SnapshotId[]
}

export type CondemnedStage = 'condemned' | 'sentenced'

const SIGNATURE = 'CKCONDMN'
const STAGES = { condemned: 1, sentenced: 2 } as const
/** A list is at most this long, so that a record fits into MAX_CONDEMNED_BYTES. */
export const MAX_CONDEMNED_IDS = 100_000
/** Nothing larger is read. */
export const MAX_CONDEMNED_BYTES: number = 16 * 2 ** 20
/** What a `Date` can hold. */
const MAX_TIME_MS = 8.64e15

export function encodeCondemned({ stage, timeMs, host, pid, data, meta, snapshots }: Condemned): Uint8Array {
  const body = cborMap([
    ['version', 1],
    ['stage', STAGES[stage]],
    ['time', timeMs],
    ['host', host],
    ['pid', pid],
    ['data', packIds(data)],
    ['meta', packIds(meta)],
    ['snapshots', packIds(snapshots)],
  ])
  return encodeEnvelope(SIGNATURE, encodeCbor(body))
}

/** Strict inverse. Throws TRUNCATED, BAD_FORMAT or CORRUPT for damage, UNSUPPORTED for a newer version. */
export function decodeCondemned(bytes: Uint8Array, file: string): Condemned {
  const map = new CborMap(decodeCbor(decodeEnvelope(SIGNATURE, bytes, file), file), file)
  map.requireVersion('a record')
  const code = map.integer('stage')
  return {
    stage: code === 1 ? 'condemned' : code === 2 ? 'sentenced' : map.fail('stage', '1 or 2'),
    timeMs: map.integer('time', -MAX_TIME_MS, MAX_TIME_MS),
    host: map.text('host'),
    pid: map.integer('pid', 1),
    data: idsOf(map, 'data', packIdAt),
    meta: idsOf(map, 'meta', packIdAt),
    snapshots: idsOf(map, 'snapshots', snapshotIdAt),
  }
}

function packIds(ids: readonly (PackId | SnapshotId)[]): Uint8Array {
  if (ids.length > MAX_CONDEMNED_IDS) throw new RangeError(`${ids.length} ids are too many for a record`)
  return Buffer.concat(ids.toSorted().map(idBytes))
}

function idsOf<Id extends string>(map: CborMap, key: string, idAt: (bytes: Uint8Array, offset: number) => Id): Id[] {
  const bytes = map.bytes(key)
  const count = bytes.length / ID_BYTES
  if (!Number.isInteger(count) || count > MAX_CONDEMNED_IDS) map.fail(key, `at most ${MAX_CONDEMNED_IDS} ids`)
  const ids = Array.from({ length: count }, (_, i) => idAt(bytes, i * ID_BYTES))
  if (ids.some((id, i) => i > 0 && id <= ids[i - 1]!)) map.fail(key, 'ids in order, each once')
  return ids
}
