import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { compress } from 'zstd-napi'
import { blockBytes, CHECKSUM_BYTES, createBlockMaker } from '../../../bench/node/block.ts'
import { obfuscate } from '../../../bench/node/record-file.ts'

/** Of recent mainnet blocks and their undo data, as they are and XOR-ed with a node's key. */
const REAL_RATIOS = { plain: { '-5': 0.616, '1': 0.594 }, xored: { '-5': 0.74, '1': 0.705 } }
const REAL_BLOCKS = fileURLToPath(new URL('../../../../shared/data/blocks', import.meta.url))
const CHUNK_BYTES = 65536

function makeBlock(seed: number, height: number): { block: Buffer; undo: Buffer } {
  const { block, undo } = createBlockMaker(seed)(height)
  return { block: Buffer.from(block), undo: Buffer.from(undo) }
}

describe('a made block', () => {
  const pairs = Array.from({ length: 12 }, (_, height) => makeBlock(7, height))
  const bytes = Buffer.concat([...pairs.map(({ block }) => block), ...pairs.map(({ undo }) => undo)])

  test('compresses like recent blocks of mainnet', () => {
    expectNear(ratios(bytes), REAL_RATIOS.plain)
    expectNear(ratios(xored(bytes)), REAL_RATIOS.xored)
  })

  test.skipIf(!existsSync(REAL_BLOCKS))('is held against the ratios of real ones', () => {
    const recent = readdirSync(REAL_BLOCKS).filter((name) => name.startsWith('block9288'))
    const real = Buffer.concat(recent.map((name) => readFileSync(`${REAL_BLOCKS}/${name}`)))
    expectNear(ratios(bytes), ratios(real))
    expectNear(ratios(xored(bytes)), ratios(xored(real)))
  })

  test('follows from seed and height alone', () => {
    const again = createBlockMaker(7)
    again(5) // what the maker has made before does not matter
    const { block, undo } = again(3)
    expect(pairs[3]!.block.equals(block)).toBe(true)
    expect(pairs[3]!.undo.equals(undo)).toBe(true)
    expect(makeBlock(8, 3).block.equals(pairs[3]!.block)).toBe(false)
  })

  test('is as long as was known before', () => {
    const lengths = pairs.map(({ block }) => block.length)
    expect(lengths).toEqual(pairs.map((_, height) => blockBytes(7, height)))
    expect(new Set(lengths).size).toBeGreaterThan(10)
  })

  test('is a block: its transactions end where it ends, and have as many inputs as coins are in the undo data', () => {
    const { block, undo } = pairs[0]!
    const { end, inputs } = walkTransactions(block)
    expect(end).toBe(block.length)
    const coins = walkUndo(undo)
    expect(coins.end).toBe(undo.length - CHECKSUM_BYTES)
    expect(coins.inputs).toEqual(inputs)
  })

  test('has undo data of 13 to 15 % of its size', () => {
    const share = sum(pairs.map(({ undo }) => undo.length)) / sum(pairs.map(({ block }) => block.length))
    expect(share).toBeGreaterThan(0.13)
    expect(share).toBeLessThan(0.15)
  })
})

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0)

type Ratios = typeof REAL_RATIOS.plain

function ratios(bytes: Buffer): Ratios {
  const ratio = (compressionLevel: number): number => {
    let total = 0
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      total += compress(bytes.subarray(at, at + CHUNK_BYTES), { compressionLevel }).length
    }
    return total / bytes.length
  }
  return { '-5': ratio(-5), '1': ratio(1) }
}

function expectNear(actual: Ratios, wanted: Ratios): void {
  for (const level of ['-5', '1'] as const) expect(Math.abs(actual[level] - wanted[level])).toBeLessThan(0.05)
}

function xored(bytes: Buffer): Buffer {
  const copy = Buffer.alloc(bytes.length)
  bytes.copy(copy)
  obfuscate(copy, Buffer.from('9f3a51c77be20d84', 'hex'), 0)
  return copy
}

/** Inputs, outputs and scripts are fewer than 253, so that their counts are one byte; the data of the last witness are more. */
function walkTransactions(block: Buffer): { end: number; inputs: number[] } {
  const inputs: number[] = []
  let at = 83
  for (let left = block.readUInt16LE(81); left > 0; left--) {
    const inputCount = block[at + 6]!
    inputs.push(inputCount)
    at += 7
    for (let i = 0; i < inputCount; i++) at += 36 + 1 + block[at + 36]! + 4
    for (let i = block[at++]!; i > 0; i--) at += 8 + 1 + block[at + 8]!
    for (let i = 0; i < inputCount; i++) {
      for (let item = block[at++]!; item > 0; item--)
        at += block[at] === 0xfd ? 3 + block.readUInt16LE(at + 1) : 1 + block[at]!
    }
    at += 4
  }
  return { end: at, inputs }
}

function walkUndo(undo: Buffer): { end: number; inputs: number[] } {
  const inputs: number[] = []
  let at = 3
  const skipVarint = (): void => {
    while (undo[at++]! & 0x80);
  }
  for (let left = undo.readUInt16LE(1); left > 0; left--) {
    inputs.push(undo[at]!)
    for (let i = undo[at++]!; i > 0; i--) {
      skipVarint() // height
      skipVarint() // version
      skipVarint() // amount
      at += 1 + undo[at]! - 6
    }
  }
  return { end: at, inputs }
}
