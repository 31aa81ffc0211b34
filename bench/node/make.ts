import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { appendBlocks, type BlockFileResult, type Growth, planBlockFiles, type Tip } from './block-files.ts'
import { COIN_TABLE_BYTES, flushHour } from './chainstate.ts'
import { runJobs } from './jobs.ts'
import { randomBytes } from './random.ts'
import { planSmallFiles } from './small-files.ts'

export interface NodeDataOptions {
  readonly seed: number
  /** About how much the directory is to hold. */
  readonly bytes: number
  /** Whether block and undo files are XOR-ed, as Bitcoin Core does since version 28. Default: true. */
  readonly xor?: boolean
  /** How many work at once; the bytes are the same. Default: one a core. */
  readonly threads?: number
}

/** Where the node stands: kept in its directory, so that any later run can let another hour pass. */
interface State extends Tip {
  readonly seed: number
  readonly xor: boolean
  /** Coins that were written at the start, in order of their keys. */
  readonly sortedCoins: number
  /** Coins that ever were. */
  readonly totalCoins: number
}

/** In its directory; also how a restored copy of it is found. */
export const STATE_FILE = 'node-data.json'
const CHAINSTATE_SHARE = 0.05
/** Of the bytes of blocks. */
const UNDO_SHARE = 0.143
const BLOCKS_PER_HOUR = 6

/** Makes a node's data directory, which must not exist: block and undo files, their XOR key, a chainstate. */
export async function makeNodeData(dir: string, options: NodeDataOptions): Promise<Growth> {
  const { seed, bytes, xor = true, threads } = options
  await mkdir(dir)
  await mkdir(join(dir, 'blocks'))
  await writeFile(join(dir, 'blocks', 'xor.dat'), blocksKey(seed, xor))
  const blkBytes = (bytes * (1 - CHAINSTATE_SHARE)) / (1 + UNDO_SHARE)
  const files = planBlockFiles(blockFilesOf(dir, seed, xor), GENESIS, (planned) => planned < blkBytes)
  const coins = Math.round((bytes * CHAINSTATE_SHARE) / COIN_TABLE_BYTES)
  const chainstate = { dir: join(dir, 'chainstate'), seed, xorKey: chainstateKey(seed), count: coins }
  // The chainstate first: it takes longest.
  const results = await runJobs([{ chainstate }, ...files.map((blocks) => ({ blocks }))], threads)
  await saveState(dir, { seed, xor, ...results.at(-1)!.tip, sortedCoins: coins, totalCoins: coins })
  return growthOf(results)
}

/** Makes a directory of `count` small files, which must not exist. */
export async function makeSmallFiles(dir: string, seed: number, count: number, threads?: number): Promise<void> {
  await mkdir(dir)
  await runJobs(
    planSmallFiles(dir, seed, count).map((directory) => ({ directory })),
    threads,
  )
}

/** Lets an hour pass: six blocks come, coins are spent and created, and LevelDB compacts when it sees fit. */
export async function advanceHour(dir: string): Promise<Growth> {
  const state = await loadState(dir)
  const { seed, xor, sortedCoins } = state
  const files = planBlockFiles(blockFilesOf(dir, seed, xor), state, (_, blocks) => blocks < BLOCKS_PER_HOUR)
  const results = files.map(appendBlocks)
  const chainstate = join(dir, 'chainstate')
  const totalCoins = await flushHour(chainstate, seed, chainstateKey(seed), sortedCoins, state.totalCoins)
  await saveState(dir, { ...state, ...results.at(-1)!.tip, totalCoins })
  return growthOf(results)
}

const GENESIS: Tip = { height: 0, file: 0, blkUsed: 0, revUsed: 0 }

const growthOf = (results: readonly BlockFileResult[]): Growth => ({
  blkBytes: results.reduce((sum, { growth }) => sum + growth.blkBytes, 0),
  revBytes: results.reduce((sum, { growth }) => sum + growth.revBytes, 0),
})

const blockFilesOf = (dir: string, seed: number, xor: boolean): { dir: string; seed: number; xorKey: Uint8Array } => ({
  dir: join(dir, 'blocks'),
  seed,
  xorKey: blocksKey(seed, xor),
})
const blocksKey = (seed: number, xor: boolean): Uint8Array =>
  xor ? randomBytes(seed, 'xor.dat', 8) : new Uint8Array(8)
const chainstateKey = (seed: number): Uint8Array => randomBytes(seed, 'obfuscate_key', 8)

const saveState = (dir: string, state: State): Promise<void> =>
  writeFile(join(dir, STATE_FILE), `${JSON.stringify(state)}\n`)

async function loadState(dir: string): Promise<State> {
  return JSON.parse(await readFile(join(dir, STATE_FILE), 'utf8')) as State
}
