import { hash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Backend } from '../../src/backend/backend.ts'
import { localBackend } from '../../src/backend/local.ts'
import { createLocalFolders } from '../../src/backend/local-folders.ts'
import { ID_BYTES, objectIdAt } from '../../src/base/ids.ts'
import {
  checkRecord,
  hashObjects,
  openExpected,
  openRecord,
  RECORD_HEADER_BYTES,
  recordLength,
  sealObject,
} from '../../src/format/object.ts'
import type { PackEntry } from '../../src/format/pack.ts'
import { createCompressor, type Effort } from '../../src/native/compress.ts'
import { type RaceOptions, race } from './race.ts'
import { madeBlocks, xored } from './samples.ts'
import { type MicroRow, type MicroTable, megabytesASecond } from './table.ts'

const CHUNK_BYTES = 65_536
/** What is written or read at once. */
const RUN_BYTES = 4 << 20
const EFFORTS: Readonly<Record<string, Effort>> = { 'stored as they are': 'off', 'compressed (auto)': 'auto' }

/** The records of one pack, and the name that it gets. */
interface Pack {
  readonly name: string
  readonly bytes: Buffer
  readonly entries: readonly PackEntry[]
}

/** From chunks, `plainBytes` in all, to records, and back from a file of them below `dir`. */
export async function racePacks(dir: string, options: RaceOptions, plainBytes: number = 32 << 20): Promise<MicroTable> {
  const plain = xored(madeBlocks(plainBytes))
  const ends = Uint32Array.from({ length: plainBytes / CHUNK_BYTES }, (_, i) => (i + 1) * CHUNK_BYTES)
  const ids = hashObjects('chunk', plain, ends)
  const packs = Object.fromEntries(
    Object.entries(EFFORTS).map(([name, effort]) => [name, makePack(plain, ids, effort)]),
  )
  const room = roomFor(plain)
  const opened = new Uint8Array(plainBytes)

  const scratch = await mkdtemp(join(dir, 'chainkeep-packs-'))
  try {
    await createLocalFolders(scratch)
    await using backend = localBackend(scratch)
    const row = async <T>(name: string, of: Record<string, T>, run: (it: T) => unknown): Promise<MicroRow> => {
      const bytesOf = async (it: T): Promise<number> => {
        await run(it)
        return plainBytes
      }
      const rates = await race(of, bytesOf, options)
      return { name, cells: megabytesASecond(rates) }
    }
    for (const { name, bytes } of Object.values(packs)) await backend.put('data', name, [bytes])
    const rows = [
      await row('seal', EFFORTS, (effort) => seal(plain, ids, effort, room)),
      await row('read', packs, (pack) => read(backend, pack)),
      await row('check records', packs, checkRecords),
      await row('open and hash one by one', packs, (pack) => openOneByOne(pack, opened)),
      await row('open, then hash together', packs, (pack) => openTogether(pack, ends, opened)),
    ]
    const note = `MB/s of plain bytes: ${plainBytes >> 20} MiB of made blocks in chunks of ${CHUNK_BYTES} bytes.`
    return { title: 'Packs', note, rows }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

const roomFor = (plain: Uint8Array): Buffer =>
  Buffer.allocUnsafeSlow(plain.length + Math.ceil(plain.length / CHUNK_BYTES) * RECORD_HEADER_BYTES)

function makePack(plain: Uint8Array, ids: Uint8Array, effort: Effort): Pack {
  const room = roomFor(plain)
  const entries = seal(plain, ids, effort, room)
  const last = entries.at(-1)!
  const name = hash('sha256', String(effort))
  return { name, bytes: room.subarray(0, last.offset + recordLength(last)), entries }
}

/** All chunks as records, one after another in `room`. */
function seal(plain: Uint8Array, ids: Uint8Array, effort: Effort, room: Buffer): PackEntry[] {
  const compressor = createCompressor(effort)
  const entries: PackEntry[] = []
  let offset = 0
  for (let position = 0, i = 0; position < plain.length; position += CHUNK_BYTES, i++) {
    const id = ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)
    const header = sealObject('chunk', id, chunkAt(plain, i), compressor, room, offset, position)
    entries.push({ ...header, id, offset })
    offset += recordLength(header)
  }
  return entries
}

async function read(backend: Backend, { name, bytes }: Pack): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += RUN_BYTES)
    await backend.get('data', name, { offset, length: Math.min(RUN_BYTES, bytes.length - offset) })
}

const recordOf = ({ bytes }: Pack, entry: PackEntry): Uint8Array =>
  bytes.subarray(entry.offset, entry.offset + recordLength(entry))

function checkRecords(pack: Pack): void {
  for (const entry of pack.entries) checkRecord(recordOf(pack, entry), entry, pack.name, entry.offset)
}

function openOneByOne(pack: Pack, target: Uint8Array): void {
  for (const [i, entry] of pack.entries.entries())
    openRecord(recordOf(pack, entry), 'chunk', objectIdAt(entry.id), pack.name, entry.offset, chunkAt(target, i))
}

function openTogether(pack: Pack, ends: Uint32Array, target: Uint8Array): void {
  for (const [i, entry] of pack.entries.entries())
    if (!openExpected(pack.bytes, entry.offset, entry, chunkAt(target, i), false))
      throw new Error('a record does not open')
  hashObjects('chunk', target, ends)
}

const chunkAt = (bytes: Uint8Array, i: number): Uint8Array => bytes.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES)
