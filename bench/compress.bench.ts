/** Ratio and MB/s of zstd levels and of `auto` on what node directories hold. Run it in the repository's root. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { createCompressor } from '../src/native/compress.ts'

const CHUNK_BYTES = 65536
const EFFORTS = [-5, -3, 1, 3, 'auto'] as const

console.log(`${cpus()[0]?.model}, Node ${process.version}: ratio (MB/s) of ${CHUNK_BYTES} byte chunks`)
console.log(['', ...EFFORTS].map((title) => String(title).padEnd(13)).join(''))
for (const [name, bytes] of samples()) {
  const cells = EFFORTS.map((effort) => measure(bytes, effort).padEnd(13))
  console.log(name.padEnd(13) + cells.join(''))
}

function measure(bytes: Uint8Array, effort: 'auto' | number): string {
  const compressor = createCompressor(effort)
  const target = new Uint8Array(CHUNK_BYTES)
  let stored = 0
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    stored = 0
    const start = performance.now()
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const chunk = bytes.subarray(at, at + CHUNK_BYTES)
      stored += compressor.compressInto(chunk, target, 0, at)?.length ?? chunk.length
    }
    best = Math.min(best, performance.now() - start)
  }
  return `${(stored / bytes.length).toFixed(3)} (${Math.round(bytes.length / 1000 / best)})`
}

function* samples(): Generator<[name: string, bytes: Uint8Array]> {
  const folder = '../shared/data/blocks/'
  if (existsSync(folder)) {
    const read = (pattern: RegExp): Buffer => {
      const names = readdirSync(folder).filter((name) => pattern.test(name))
      return Buffer.concat(names.map((name) => readFileSync(folder + name)))
    }
    const kinds: [string, RegExp][] = [
      ['blocks', /928831\.raw|\.blk$/],
      ['old blocks', /(426884|300025)\.raw/],
      ['undo', /undo\.raw$/],
    ]
    for (const [name, pattern] of kinds) {
      yield [name, read(pattern)]
      yield [`${name} xor`, obfuscate(read(pattern))]
    }
  } else console.log('(no blocks: ../shared/data/blocks is missing)')
  yield ['chainstate', chainstate()]
  yield ['json', Buffer.from(Array.from({ length: 20_000 }, (_, i) => jsonLine(i)).join('\n'))]
  yield ['zeros', new Uint8Array(2 ** 21)]
  yield ['random', randomBytes(2 ** 21)]
}

/** As Bitcoin Core has stored its blocks since version 28. */
function obfuscate(bytes: Buffer): Buffer {
  const key = Buffer.from('5ca1ab1e0ddba11f', 'hex')
  return bytes.map((byte, i) => byte ^ key[i & 7]!) as Buffer
}

/** Entries as in a LevelDB table of unspent outputs: random ids and scripts, regular framing. */
function chainstate(): Buffer {
  const entries = Array.from({ length: 30_000 }, (_, i) => [
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
