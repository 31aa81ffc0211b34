import { constants } from 'node:fs'
import { appendFile, type FileHandle, mkdir, open, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { seededBytes, seededStream } from './seeded-bytes.ts'

/**
 * Makes a stand-in for a node's data directory of about `megabytes` MB below `directory`: block and undo files, the two
 * LevelDBs, and the small files around them. The seed decides all contents, of the LevelDBs their entries (LevelDB itself
 * decides on its files). About 150 MB/s.
 */
export async function createNodeDirectory(
  directory: string,
  options: { seed: string | number; megabytes: number },
): Promise<void> {
  const { seed, megabytes } = options
  await mkdir(join(directory, 'blocks/index'), { recursive: true })
  await mkdir(join(directory, 'chainstate'))
  for (const [name, content] of Object.entries(SMALL_FILES)) await writeFile(join(directory, name), content)
  const blockBytes = Math.round(megabytes * 1e6 * BLOCK_SHARE)
  const coins = Math.round((megabytes * 1e6 * COIN_SHARE) / COIN_BYTES)
  await addToChain(directory, `${seed} create`, { blockBytes, newCoins: coins, spentCoins: 0 })
}

/** Does what a node does in `hours`: some 5 MB of blocks an hour, coins made and coins spent, tables compacted. */
export async function growNodeDirectory(
  directory: string,
  options: { seed: string | number; hours: number },
): Promise<void> {
  const { seed, hours } = options
  const newCoins = Math.round(hours * 12_000)
  const growth = { blockBytes: Math.round(hours * 5e6), newCoins, spentCoins: Math.round(newCoins * 0.8) }
  await addToChain(directory, `${seed} grow`, growth)
  await writeFile(join(directory, 'peers.dat'), seededBytes(`${seed} peers`, 20_000))
}

interface Growth {
  /** How much of block files, at least. */
  readonly blockBytes: number
  readonly newCoins: number
  readonly spentCoins: number
}

const BLOCK_SHARE = 0.78
const UNDO_SHARE = 0.137 // of the bytes of blocks, as on Bitcoin's main network in 2020
const COIN_SHARE = 0.1
const COIN_BYTES = 100
const MAX_BLOCK_FILE_BYTES = 16 << 20 // a node's are 128 MiB; small ones make small directories look like large ones
const PREALLOCATED_BYTES = 1 << 20 // a node's are 16 MiB
const MAGIC = Buffer.from('fbc0b6db', 'hex') // Litecoin's
const FRAME_BYTES = 8
const TRANSACTION_BYTES = 250
const TRANSACTION_FRAME = seededBytes('transaction', 100)
const COINS_PER_BATCH = 2_000
const COINS_PER_SEEK = 4
const SMALL_FILES: Readonly<Record<string, string | Buffer>> = {
  'litecoin.conf': 'server=1\ndbcache=450\n',
  'settings.json': '{\n}\n',
  'debug.log': '2026-01-01T00:00:00Z Litecoin Core version v0.21.2.1 (release build)\n',
  'peers.dat': seededBytes('peers', 20_000),
  'fee_estimates.dat': seededBytes('fees', 5_000),
  '.lock': '',
}

async function addToChain(directory: string, seed: string, growth: Growth): Promise<void> {
  const headers = await appendBlocks(directory, seed, growth.blockBytes)
  await updateIndex(join(directory, 'blocks/index'), headers)
  await updateCoins(join(directory, 'chainstate'), seed, growth)
  const lines = headers.map(({ hash, bytes }) => `UpdateTip: new best=${hash.toString('hex')} size=${bytes}\n`)
  await appendFile(join(directory, 'debug.log'), lines.join(''))
}

interface Header {
  readonly hash: Buffer
  readonly file: number
  readonly offset: number
  readonly bytes: number
}

/** Appends blocks of `total` bytes together, and undo data for each. */
async function appendBlocks(directory: string, seed: string, total: number): Promise<Header[]> {
  const folder = join(directory, 'blocks')
  const names = await readdir(folder)
  const random = seededStream(`${seed} sizes and hashes`)
  const headers: Header[] = []
  let file = Math.max(0, names.filter((name) => name.startsWith('blk')).length - 1)
  let [blocks, undo] = await openFiles(folder, file)
  for (let done = 0; done < total; ) {
    const bytes = Math.min(total - done, 300_000 + (random(4).readUInt32LE() % 1_000_000))
    if (blocks.end + FRAME_BYTES + bytes > MAX_BLOCK_FILE_BYTES) {
      await blocks.close()
      await undo.close()
      ;[blocks, undo] = await openFiles(folder, ++file)
    }
    headers.push({ hash: random(32), file, offset: blocks.end + FRAME_BYTES, bytes })
    await blocks.append(transactions(`${seed} block ${headers.length}`, bytes))
    await undo.append(transactions(`${seed} undo ${headers.length}`, Math.ceil(bytes * UNDO_SHARE)))
    done += bytes
  }
  await blocks.preallocate()
  await undo.preallocate()
  return headers
}

interface RecordFile {
  /** Where the next record goes. */
  readonly end: number
  append(payload: Uint8Array): Promise<void>
  /** Ends the file after its last record: a full one keeps that size. */
  close(): Promise<void>
  /** Adds zeros up to a round size and closes. */
  preallocate(): Promise<void>
}

async function openFiles(folder: string, number: number): Promise<[blocks: RecordFile, undo: RecordFile]> {
  const suffix = `${String(number).padStart(5, '0')}.dat`
  return [await openRecordFile(join(folder, `blk${suffix}`)), await openRecordFile(join(folder, `rev${suffix}`))]
}

/** Records are magic, size, payload, one after another; what follows the last is zeros. */
async function openRecordFile(path: string): Promise<RecordFile> {
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT)
  let end = await endOfRecords(handle)
  const size = Buffer.alloc(4)
  return {
    get end() {
      return end
    },
    async append(payload) {
      size.writeUInt32LE(payload.length)
      const { bytesWritten } = await handle.writev([MAGIC, size, payload], end)
      end += bytesWritten
    },
    async close() {
      await handle.truncate(end)
      await handle.close()
    },
    async preallocate() {
      const zeros = PREALLOCATED_BYTES - (end % PREALLOCATED_BYTES)
      await handle.write(Buffer.alloc(zeros), 0, zeros, end)
      await handle.close()
    },
  }
}

async function endOfRecords(handle: FileHandle): Promise<number> {
  const frame = Buffer.alloc(FRAME_BYTES)
  let end = 0
  for (;;) {
    const { bytesRead } = await handle.read(frame, 0, FRAME_BYTES, end)
    if (bytesRead < FRAME_BYTES || !frame.subarray(0, 4).equals(MAGIC)) return end
    end += FRAME_BYTES + frame.readUInt32LE(4)
  }
}

/** Bytes that compress to about 0.6 of their size, as blocks do: hashes and signatures in repeated scripts. */
function transactions(seed: string, length: number): Buffer {
  const bytes = seededBytes(seed, length)
  for (let at = 0; at + TRANSACTION_FRAME.length <= length; at += TRANSACTION_BYTES) TRANSACTION_FRAME.copy(bytes, at)
  return bytes
}

/** One batch, as a node writes it. */
async function updateIndex(path: string, headers: readonly Header[]): Promise<void> {
  await using db = await openLevel(path)
  const batch = db.batch()
  for (const { hash, file, offset, bytes } of headers) {
    const value = Buffer.concat([hash, Buffer.alloc(60)]) // stands for the header
    value.writeUInt32LE(file, 32)
    value.writeUInt32LE(offset, 36)
    value.writeUInt32LE(bytes, 40)
    batch.put(Buffer.concat([Buffer.from('b'), hash]), value)
  }
  const last = headers.at(-1)
  if (last) batch.put(Buffer.from('l'), Buffer.from([last.file]))
  await batch.write()
}

/** Puts new coins, deletes old ones spread over all tables, and compacts a part of the keys. */
async function updateCoins(path: string, seed: string, growth: Growth): Promise<void> {
  await using db = await openLevel(path)
  const random = seededStream(`${seed} coins`)
  for (let done = 0; done < growth.spentCoins; done += COINS_PER_SEEK) {
    const from = coinKey(random(36))
    const limit = Math.min(COINS_PER_SEEK, growth.spentCoins - done)
    await db.batch((await db.keys({ gte: from, limit }).all()).map((key) => ({ type: 'del', key })))
  }
  for (let done = 0; done < growth.newCoins; done += COINS_PER_BATCH) {
    const batch = db.batch()
    for (let i = Math.min(COINS_PER_BATCH, growth.newCoins - done); i > 0; i--) {
      const coin = random(COIN_BYTES - 1)
      batch.put(coinKey(coin.subarray(0, 36)), coin.subarray(36))
    }
    await batch.write()
  }
  const start = random(1)[0]!
  await db.compactRange(coinKey(Buffer.from([start])), coinKey(Buffer.from([start + 32])))
}

const coinKey = (outpoint: Uint8Array): Buffer => Buffer.concat([Buffer.from('C'), outpoint])

/** `level` is `classic-level` on Node, which can compact; its types are those of browsers, too. */
type NodeLevel = Level<Buffer, Buffer> & { compactRange(start: Buffer, end: Buffer): Promise<void> }

/** With a node's settings: no compression, and tables of 2 MiB. */
async function openLevel(path: string): Promise<NodeLevel> {
  const db = new Level<Buffer, Buffer>(path, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  await db.open({ compression: false, writeBufferSize: 1 << 20 })
  return db as NodeLevel
}
