import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { bufferView } from '../base/bytes.ts'
import { errnoOf } from '../base/errors.ts'
import { isAlive } from '../base/processes.ts'
import { indexDamage } from './index-layout.ts'

/**
 * LevelDB checks its log and its manifest, but believes its tables: a zeroed sector in one trips an assertion, which ends
 * the process, each time again. So tables are checked here before it sees them, those that were not known to be sound when
 * the index was last closed. The process that has it open is noted: if that dies, perhaps of this, all are checked again.
 *
 *     verified-tables = "open " host " " pid | "closed", then a line for each table: inode " " size " " mtime
 */
const VERIFIED = 'verified-tables'
const TABLE = /^\d+\.(?:ldb|sst)$/
/** LevelDB ends tables at 2 MiB; one entry may exceed it, and is some 100 bytes. */
const MAX_TABLE_BYTES = 64 * 2 ** 20

/** Rejects CORRUPT for a table that is damaged. `original` is the folder of the index that this is a copy of. */
export async function verifyTables(directory: string, original: string = directory): Promise<void> {
  const trusted = await readVerified(original)
  for (const { name, line, size } of await listTables(directory)) {
    if (trusted.has(line)) continue
    if (size > MAX_TABLE_BYTES) throw indexDamage(`a table of ${size} bytes, ${name}`)
    const bytes = await unlessGone(readFile(join(directory, name)))
    if (bytes && isFinished(bytes)) verifyTable(bytes, name)
  }
}

/** To be called when the index has been opened, and when it has been closed. Best effort: without it, more is checked. */
export async function rememberTables(directory: string, isOpen: boolean): Promise<void> {
  const head = isOpen ? `open ${hostname()} ${process.pid}` : 'closed'
  try {
    const lines = (await listTables(directory)).map(({ line }) => line)
    await writeFile(join(directory, VERIFIED), [head, ...lines, ''].join('\n'))
  } catch {
    await rm(join(directory, VERIFIED), { force: true }).catch(() => {})
  }
}

async function readVerified(directory: string): Promise<ReadonlySet<string>> {
  const text = await readFile(join(directory, VERIFIED), 'latin1').catch(() => '')
  const [head = '', ...lines] = text.split('\n')
  const [state, host, pid] = head.split(' ')
  const isTrusted = state === 'closed' || (state === 'open' && host === hostname() && isAlive(Number(pid)))
  return new Set(isTrusted ? lines : [])
}

async function listTables(directory: string): Promise<{ name: string; line: string; size: number }[]> {
  const names = (await unlessGone(readdir(directory))) ?? []
  const tables: { name: string; line: string; size: number }[] = []
  for (const name of names.filter((each) => TABLE.test(each))) {
    const found = await unlessGone(stat(join(directory, name)))
    if (found) tables.push({ name, line: `${found.ino} ${found.size} ${found.mtimeMs}`, size: found.size })
  }
  return tables
}

/** Whoever has the index open removes tables that it has put together into others. */
async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    return undefined
  }
}

/**
 * Whether the footer is there, which comes last. Where it is not, LevelDB is writing the table, or was when it was killed: then no
 * manifest names it. One that is cut off otherwise it refuses without harm, should it need it.
 */
const isFinished = (table: Uint8Array): boolean => bufferView(table).subarray(-8).toString('hex') === MAGIC

/**
 * Checks every block of a table (LevelDB, doc/table_format.md). Throws CORRUPT.
 *
 *     table  = block … | footer (48): handles of metaindex and index, zeros, magic (8)
 *     block  = content | u8 compression | u32 masked CRC-32C of both
 *     handle = varint offset | varint size of the content
 */
export function verifyTable(bytes: Uint8Array, name: string): void {
  const table = bufferView(bytes)
  const fail = (): never => {
    throw indexDamage(`a damaged table, ${name}`)
  }
  const footer = table.length - FOOTER_BYTES
  if (footer < 0 || !isFinished(table)) fail()
  const handles = new VarintReader(table.subarray(footer), fail)
  for (const block of [checkBlock(table, handles, fail), checkBlock(table, handles, fail)])
    for (const value of valuesOf(block, fail)) checkBlock(table, new VarintReader(value, fail), fail)
}

const FOOTER_BYTES = 48
const MAGIC = '57fb808b247547db'

/** The content of the block that a handle tells of. */
function checkBlock(table: Buffer, handle: VarintReader, fail: () => never): Buffer {
  const [offset, size] = [handle.next(), handle.next()]
  const end = offset + size + 1
  if (end + 4 > table.length - FOOTER_BYTES) fail()
  if (table[end - 1] !== 0) fail() // compressed: nothing of ours
  const crc = crc32c(table.subarray(offset, end))
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
  if (table.readUInt32LE(end) !== masked) fail()
  return table.subarray(offset, offset + size)
}

/** The values of a block's entries: varints shared, unshared and value length, unshared bytes of the key, value. */
function* valuesOf(block: Buffer, fail: () => never): Generator<Buffer, void, undefined> {
  if (block.length < 4) fail()
  const end = block.length - 4 - 4 * block.readUInt32LE(block.length - 4)
  if (end < 0) fail()
  const reader = new VarintReader(block.subarray(0, end), fail)
  while (!reader.isAtEnd) {
    reader.next()
    const [unshared, length] = [reader.next(), reader.next()]
    reader.take(unshared)
    yield reader.take(length)
  }
}

class VarintReader {
  readonly #bytes: Buffer
  readonly #fail: () => never
  #at = 0

  constructor(bytes: Buffer, fail: () => never) {
    this.#bytes = bytes
    this.#fail = fail
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  next(): number {
    let value = 0
    for (let scale = 1; scale <= 2 ** 42; scale *= 128) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) break
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    return this.#fail()
  }

  take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) this.#fail()
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

/** Castagnoli's polynomial, which zlib lacks. */
function crc32c(bytes: Uint8Array): number {
  let crc = -1
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8)
  return ~crc
}

const CRC_TABLE: Int32Array = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})
