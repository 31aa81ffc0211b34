import type { Backend } from '../backend/backend.ts'
import { isCode } from '../base/errors.ts'
import type { PackId } from '../base/ids.ts'
import { type Condemned, decodeCondemned, MAX_CONDEMNED_BYTES } from '../format/condemned.ts'
import { readBounded } from './read-bounded.ts'

/** A record of packs that are to be deleted, and what it is called. */
export interface CondemnedRecord extends Condemned {
  readonly name: string
}

const NAME = /^[0-9a-f]{32}$/

/** By name. */
export type CondemnedRecords = ReadonlyMap<string, CondemnedRecord>

/**
 * The records that there are; those in `known` are not read again. A damaged one condemns nothing: nobody acts on it, and
 * `onDamaged` hears of it. Rejects UNSUPPORTED for one of a newer program.
 */
export async function loadCondemned(
  backend: Backend,
  known: CondemnedRecords = new Map(),
  onDamaged: (name: string) => void = () => {},
): Promise<CondemnedRecords> {
  const records = new Map<string, CondemnedRecord>()
  for await (const name of backend.list('condemned')) {
    if (!NAME.test(name)) continue
    const record = known.get(name) ?? (await tryLoad(backend, name, onDamaged))
    if (record) records.set(name, record)
  }
  return records
}

/** Every pack that one of the records names. */
export function packsIn(records: Iterable<CondemnedRecord>): Set<PackId> {
  const packs = new Set<PackId>()
  for (const { data, meta } of records) for (const pack of [...data, ...meta]) packs.add(pack)
  return packs
}

async function tryLoad(
  backend: Backend,
  name: string,
  onDamaged: (name: string) => void,
): Promise<CondemnedRecord | undefined> {
  try {
    const bytes = await readBounded(backend, 'condemned', name, MAX_CONDEMNED_BYTES)
    return { name, ...decodeCondemned(bytes, `condemned/${name}`) }
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return undefined // done with meanwhile
    if (!isCode(error, 'TRUNCATED', 'BAD_FORMAT', 'CORRUPT')) throw error
    onDamaged(name)
    return undefined
  }
}
