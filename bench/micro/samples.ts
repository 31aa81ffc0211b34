import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createBlockMaker } from '../node/block.ts'
import { obfuscate } from '../node/record-file.ts'

/** Of mainnet, beside the clone where there are any. */
const REAL_BLOCKS = '../shared/data/blocks'
const SAMPLE_BYTES = 8 << 20

/** What node directories hold, some MB each. */
export function samples(): Record<string, Uint8Array> {
  const made = madeBlocks(SAMPLE_BYTES)
  return {
    ...realSamples(),
    'made blocks': made,
    'made blocks, XOR-ed': xored(made),
    'like chainstate': chainstate(),
    'lines of JSON': Buffer.from(Array.from({ length: 40_000 }, (_, i) => jsonLine(i)).join('\n')),
    zeros: new Uint8Array(SAMPLE_BYTES).fill(1).fill(0), // written to, or all its pages are one
    noise: randomBytes(SAMPLE_BYTES),
  }
}

/** Blocks one after another, as long as they fit. */
export function madeBlocks(bytes: number): Uint8Array {
  const makeBlock = createBlockMaker(1)
  const all = new Uint8Array(bytes)
  for (let height = 0, at = 0; at < bytes; height++) {
    const { block } = makeBlock(height)
    all.set(block.subarray(0, bytes - at), at)
    at += block.length
  }
  return all
}

/** As Bitcoin Core has stored its blocks since version 28. */
export function xored(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes)
  obfuscate(copy, Buffer.from('5ca1ab1e0ddba11f', 'hex'), 0)
  return copy
}

function realSamples(): Record<string, Uint8Array> {
  if (!existsSync(REAL_BLOCKS)) return {}
  const read = (pattern: RegExp): Uint8Array => {
    const names = readdirSync(REAL_BLOCKS).filter((name) => pattern.test(name))
    return Buffer.concat(names.map((name) => readFileSync(`${REAL_BLOCKS}/${name}`)))
  }
  const recent = read(/928831\.raw|\.blk$/)
  const undo = read(/undo\.raw$/)
  return {
    'recent blocks': recent,
    'recent blocks, XOR-ed': xored(recent),
    'old blocks': read(/(426884|300025)\.raw/),
    'undo data': undo,
    'undo data, XOR-ed': xored(undo),
  }
}

/** Entries as in a LevelDB table of unspent outputs: random ids and scripts, regular framing. */
function chainstate(): Uint8Array {
  const entries = Array.from({ length: 60_000 }, (_, i) => [
    Buffer.from([0, 34, 32, 0x43]),
    randomBytes(32),
    Buffer.from([i & 3, 1, 0, 0, 0, 0, i & 255, i >> 8, 0, 0x8a, 0x11, i & 15, 0]),
    randomBytes(20),
  ])
  return Buffer.concat(entries.flat())
}

function jsonLine(height: number): string {
  return JSON.stringify({
    height,
    hash: randomBytes(16).toString('hex'),
    time: 1.6e9 + height * 600,
    fee: height % 977,
  })
}
