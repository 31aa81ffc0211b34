import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Level } from 'level'
import { makeDice, mix32 } from './random.ts'

/** Bytes that one coin takes in a table, measured. */
export const COIN_TABLE_BYTES = 66
/** Coins that a mainnet node's hourly flush takes out and puts in; those that come and go within the hour never show. */
const HOUR = { spent: 16_000, created: 18_000 }
const BATCH_COINS = 5_000
/** Bitcoin Core's DBWRAPPER_MAX_FILE_SIZE. */
const TABLE_BYTES = 32 << 20
/** What Bitcoin Core leaves to LevelDB of its cache, at most; it divides by 4 for the write buffer. */
const COINS_CACHE_BYTES = 8 << 20

/** All that a chainstate is made of: a thread may be told it. */
export interface ChainstateJob {
  readonly dir: string
  readonly seed: number
  /** Of 8 bytes. */
  readonly xorKey: Uint8Array
  readonly count: number
}

type Chainstate = Level<Uint8Array, Uint8Array>

/**
 * Writes `count` coins in the order of their keys, which leaves sorted tables, as a full compaction does.
 * The contents follow from the seed; where tables begin and end depends on LevelDB's background thread, too.
 */
export async function makeChainstate({ dir, seed, xorKey, count }: ChainstateJob): Promise<void> {
  await withChainstate(dir, TABLE_BYTES, async (db) => {
    const keyRecord = Buffer.from('\x0e\x00obfuscate_key', 'latin1')
    await db.put(keyRecord, Buffer.concat([Buffer.of(xorKey.length), xorKey]))
    for (let first = 0; first < count; first += BATCH_COINS) {
      const batch = db.batch() // a chained batch takes half the time of an array
      const end = Math.min(count, first + BATCH_COINS)
      for (let i = first; i < end; i++) batch.put(coinKey(seed, i, count), coinValue(seed, i, xorKey))
      await batch.write()
    }
  })
  await withChainstate(dir, TABLE_BYTES, async () => {}) // opening turns the last log into a table
}

/** One hour's flush: some of the `total` coins go, others come. Returns the new total. `sorted` of them came first. */
export async function flushHour(
  dir: string,
  seed: number,
  xorKey: Uint8Array,
  sorted: number,
  total: number,
): Promise<number> {
  const dice = makeDice(mix32(seed, total))
  await withChainstate(dir, COINS_CACHE_BYTES / 4, async (db) => {
    const batch = db.batch() // one, as Bitcoin Core writes up to 16 MiB at once
    for (let i = 0; i < HOUR.spent; i++) batch.del(coinKey(seed, dice(total), sorted))
    const end = total + HOUR.created
    for (let i = total; i < end; i++) batch.put(coinKey(seed, i, sorted), coinValue(seed, i, xorKey))
    await batch.write()
    await settled(dir)
  })
  return total + HOUR.created
}

/** With Bitcoin Core's options (dbwrapper.cpp, `GetOptions`). */
async function withChainstate(
  dir: string,
  writeBufferSize: number,
  use: (db: Chainstate) => Promise<void>,
): Promise<void> {
  await mkdir(dir, { recursive: true })
  const db: Chainstate = new Level(dir, { keyEncoding: 'view', valueEncoding: 'view' })
  const cacheSize = COINS_CACHE_BYTES / 2
  await db.open({ compression: false, cacheSize, writeBufferSize, maxFileSize: TABLE_BYTES })
  try {
    await use(db)
  } finally {
    await db.close()
    for (const log of ['LOG', 'LOG.old']) await rm(join(dir, log), { force: true }) // Bitcoin Core writes none
  }
}

/** LevelDB does not say when its compactions are over, but its files stop changing. Closing it would cut them short. */
async function settled(dir: string): Promise<void> {
  let before = ''
  for (let quiet = 0; quiet < 3; ) {
    await setTimeout(100)
    const files = await readdir(dir)
    const sizes = await Promise.all(files.map((file) => stat(join(dir, file)).catch(() => undefined)))
    const now = files.map((file, i) => `${file} ${sizes[i]?.size}`).join()
    quiet = now === before ? quiet + 1 : 0
    before = now
  }
}

/** 'C', transaction id, output number. The first `sorted` coins are in order of their keys, later ones anywhere. */
function coinKey(seed: number, coin: number, sorted: number): Uint8Array {
  const key = Buffer.allocUnsafe(34)
  key[0] = 0x43
  for (let word = 0; word < 8; word++) writeWord(key, 1 + 4 * word, mix32(seed + word, coin))
  if (coin < sorted) key.writeUInt32BE(Math.floor((coin / sorted) * 2 ** 32), 1)
  key[33] = mix32(seed, coin) % 3
  return key
}

/** Height, amount and script in Bitcoin Core's compressed form, obfuscated from the value's first byte on. */
function coinValue(seed: number, coin: number, xorKey: Uint8Array): Uint8Array {
  const shape = mix32(seed + 8, coin)
  const amountBytes = 1 + (shape % 5)
  const value = Buffer.allocUnsafe(3 + amountBytes + 23)
  value[0] = 0x80 | (30 + ((shape >>> 4) % 67))
  value[1] = 0x80 | ((shape >>> 11) & 0x7f)
  value[2] = (shape >>> 18) & 0x7f
  for (let i = 0; i < amountBytes; i++) value[3 + i] = 0x80 | (mix32(seed + 9, coin) >>> (5 * i))
  value[2 + amountBytes]! &= 0x7f
  const script = 3 + amountBytes
  value[script] = 28 // the length, behind six special scripts
  value[script + 1] = 0
  value[script + 2] = 20
  for (let word = 0; word < 5; word++) writeWord(value, script + 3 + 4 * word, mix32(seed + 10 + word, coin))
  for (let i = 0; i < value.length; i++) value[i]! ^= xorKey[i & 7]!
  return value
}

/** Little-endian. */
function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word
  bytes[at + 1] = word >>> 8
  bytes[at + 2] = word >>> 16
  bytes[at + 3] = word >>> 24
}
