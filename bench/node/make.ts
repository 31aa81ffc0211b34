import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CHECKSUM_BYTES, makeBlock } from './block.ts'
import { COIN_TABLE_BYTES, flushHour, makeChainstate } from './chainstate.ts'
import { randomBytes } from './random.ts'
import { FRAME_BYTES, MAX_FILE_BYTES, RecordFile } from './record-file.ts'

export interface NodeDataOptions {
  readonly seed: number
  /** About how much the directory is to hold. */
  readonly bytes: number
  /** Whether block and undo files are XOR-ed, as Bitcoin Core does since version 28. Default: true. */
  readonly xor?: boolean
}

/** Records that were appended, frames included: what is truly new in the files of blocks. */
export interface Growth {
  readonly blkBytes: number
  readonly revBytes: number
}

/** Where the node stands: kept in its directory, so that any later run can let another hour pass. */
interface State {
  readonly seed: number
  readonly xor: boolean
  readonly height: number
  readonly file: number
  readonly blkUsed: number
  readonly revUsed: number
  /** Coins that were written at the start, in order of their keys. */
  readonly sortedCoins: number
  /** Coins that ever were. */
  readonly totalCoins: number
}

/** In its directory; also how a restored copy of it is found. */
export const STATE_FILE = 'node-data.json'
const CHAINSTATE_SHARE = 0.05
const BLOCKS_PER_HOUR = 6

/** Makes a node's data directory, which must not exist: block and undo files, their XOR key, a chainstate. */
export async function makeNodeData(dir: string, options: NodeDataOptions): Promise<Growth> {
  const { seed, bytes, xor = true } = options
  await mkdir(dir)
  await mkdir(join(dir, 'blocks'))
  await writeFile(join(dir, 'blocks', 'xor.dat'), blocksKey(seed, xor))
  const coins = Math.round((bytes * CHAINSTATE_SHARE) / COIN_TABLE_BYTES)
  const start = { seed, xor, height: 0, file: 0, blkUsed: 0, revUsed: 0, sortedCoins: coins, totalCoins: coins }
  const blockBytes = bytes * (1 - CHAINSTATE_SHARE)
  const [blocks] = await Promise.all([
    appendBlocks(dir, start, (growth) => growth.blkBytes + growth.revBytes < blockBytes),
    makeChainstate(join(dir, 'chainstate'), seed, chainstateKey(seed), coins),
  ])
  await saveState(dir, blocks.state)
  return blocks.growth
}

/** Lets an hour pass: six blocks come, coins are spent and created, and LevelDB compacts when it sees fit. */
export async function advanceHour(dir: string): Promise<Growth> {
  const before = await loadState(dir)
  const { state, growth } = await appendBlocks(dir, before, (_, blocks) => blocks < BLOCKS_PER_HOUR)
  const { seed, sortedCoins } = state
  const chainstate = join(dir, 'chainstate')
  const totalCoins = await flushHour(chainstate, seed, chainstateKey(seed), sortedCoins, state.totalCoins)
  await saveState(dir, { ...state, totalCoins })
  return growth
}

/** Appends blocks as long as `goOn` says so of what was appended before. */
async function appendBlocks(
  dir: string,
  from: State,
  goOn: (growth: Growth, blocks: number) => boolean,
): Promise<{ state: State; growth: Growth }> {
  const key = blocksKey(from.seed, from.xor)
  const openFile = (kind: 'blk' | 'rev', number: number, used: number): Promise<RecordFile> =>
    RecordFile.open(join(dir, 'blocks'), kind, number, used, key)
  let { height, file } = from
  let blk = await openFile('blk', file, from.blkUsed)
  let rev = await openFile('rev', file, from.revUsed)
  const growth = { blkBytes: 0, revBytes: 0 }
  while (goOn(growth, height - from.height)) {
    const { block, undo } = makeBlock(from.seed, height)
    if (blk.used + FRAME_BYTES + block.length > MAX_FILE_BYTES) {
      await blk.finish()
      await rev.finish()
      file++
      blk = await openFile('blk', file, 0)
      rev = await openFile('rev', file, 0)
    }
    await blk.append(block)
    await rev.append(undo, CHECKSUM_BYTES)
    growth.blkBytes += FRAME_BYTES + block.length
    growth.revBytes += FRAME_BYTES + undo.length
    height++
  }
  await blk.close()
  await rev.close()
  return { state: { ...from, height, file, blkUsed: blk.used, revUsed: rev.used }, growth }
}

const blocksKey = (seed: number, xor: boolean): Uint8Array =>
  xor ? randomBytes(seed, 'xor.dat', 8) : new Uint8Array(8)
const chainstateKey = (seed: number): Uint8Array => randomBytes(seed, 'obfuscate_key', 8)

const saveState = (dir: string, state: State): Promise<void> =>
  writeFile(join(dir, STATE_FILE), `${JSON.stringify(state)}\n`)

async function loadState(dir: string): Promise<State> {
  return JSON.parse(await readFile(join(dir, STATE_FILE), 'utf8')) as State
}
