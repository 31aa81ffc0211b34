import { Level } from 'level'
import { ChainkeepError, isCode } from '../base/errors.ts'
import {
  decodeNextNumber,
  decodePackRecord,
  encodeNextNumber,
  GONE_KEYS,
  indexDamage,
  NEXT_NUMBER_KEY,
  PACK_KEYS,
  type PackRecord,
  SCHEMA,
  SCHEMA_KEY,
} from './index-layout.ts'

export type IndexLevel = Level<Buffer, Buffer>

export interface LoadedLevel {
  readonly level: IndexLevel
  readonly packs: readonly PackRecord[]
  /** Packs that were known once, and whose files have vanished. */
  readonly gone: readonly PackRecord[]
  readonly nextNumber: number
  /** Made just now, and empty. */
  readonly isNew: boolean
}

/**
 * Measured by bench/index with 5 million objects. LevelDB maps every open table (2 MiB) into memory, so open
 * files bound the resident size: 100 tables here; 1 000, its default, map all of the index. Blocks that are compressed
 * must be unpacked for each look-up: two to three times slower, for a quarter less disk (2 million objects).
 * Bloom filters of 10 bits a key are built into classic-level.
 */
const OPTIONS = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  compression: false,
  maxOpenFiles: 110,
  writeBufferSize: 8 * 1024 * 1024,
  cacheSize: 8 * 1024 * 1024, // hardly used: blocks of mapped tables are read in place
} as const

/** Opens and loads the database in `directory`, or makes one. Rejects with errors of level, or CORRUPT, UNSUPPORTED. */
export async function openLevel(directory: string, create: boolean): Promise<LoadedLevel> {
  const level: IndexLevel = new Level(directory, { ...OPTIONS, createIfMissing: create })
  await level.open()
  try {
    const isNew = create && (await level.keys({ limit: 1 }).all()).length === 0
    if (isNew) await level.batch().put(SCHEMA_KEY, SCHEMA).put(NEXT_NUMBER_KEY, encodeNextNumber(1)).write()
    const schema = await level.get(SCHEMA_KEY)
    if (!schema?.equals(SCHEMA))
      throw new ChainkeepError('UNSUPPORTED', `the index in ${directory} is of another version`)
    return { level, isNew, ...(await load(level)) }
  } catch (error) {
    await level.close()
    throw error
  }
}

/** What level's types leave out, because browsers lack it. */
interface LevelStatics {
  destroy(directory: string): Promise<void>
}
interface OnDisk {
  compactRange(start: Buffer, end: Buffer): Promise<void>
}

/** Removes the database's files unless somebody has it open. Rejects with errors of level. */
export async function destroyLevel(directory: string): Promise<void> {
  await (Level as unknown as LevelStatics).destroy(directory)
}

/** Makes a table of what was written last: that is part of compacting any range, and in this one there is nothing else. */
export async function emptyLog(level: IndexLevel): Promise<void> {
  await (level as unknown as OnDisk).compactRange(NO_KEY, NO_KEY)
}

const NO_KEY = Buffer.of(0xff)

/** Another process, or another part of this one, has the database open. */
export const isLocked = (error: unknown): boolean => codesOf(error).includes('LEVEL_LOCKED')

/** The database cannot be read, or holds what nobody wrote. */
export function isDamage(error: unknown): boolean {
  const codes = codesOf(error)
  if (codes.includes('LEVEL_CORRUPTION') || codes.includes('LEVEL_IO_ERROR')) return true
  return isCode(error, 'CORRUPT') && error.details.index === true
}

/** The message of the first cause. */
export function rootMessage(error: unknown): string {
  return error instanceof Error ? (error.cause === undefined ? error.message : rootMessage(error.cause)) : String(error)
}

async function load(level: IndexLevel): Promise<Omit<LoadedLevel, 'level' | 'isNew'>> {
  const stored = await level.get(NEXT_NUMBER_KEY)
  if (!stored) throw indexDamage('no next pack number')
  const nextNumber = decodeNextNumber(stored)
  const packs: PackRecord[] = []
  for await (const [key, value] of level.iterator(PACK_KEYS)) packs.push(decodePackRecord(key, value))
  const gone: PackRecord[] = []
  for await (const [key, value] of level.iterator(GONE_KEYS)) gone.push(decodePackRecord(key, value))
  if (packs.some(({ number }) => number >= nextNumber)) throw indexDamage('a pack number that was not given yet')
  return { packs, gone, nextNumber }
}

function codesOf(error: unknown): unknown[] {
  return error instanceof Error ? ['code' in error ? error.code : undefined, ...codesOf(error.cause)] : []
}
