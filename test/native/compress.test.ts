import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isCode } from '../../src/base/errors.ts'
import { CODEC_XOR_ZSTD, CODEC_ZSTD, createCompressor, openCompressed } from '../../src/native/compress.ts'
import { applyXorKey, XOR_KEY_BYTES } from '../../src/native/xor-key.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const zstd = createRequire(import.meta.url)('zstd-napi/binding.js') as typeof import('zstd-napi/binding.js')

const TEXT = Buffer.from(
  Array.from({ length: 2000 }, (_, i) => `block ${i} has ${(i * 7919) % 1000} outputs\n`).join(''),
)
// A quarter of it compressible: saves more than the threshold of `auto`, but is not promising.
const MIXED = Buffer.concat([seededBytes('mixed', 49_152), new Uint8Array(16_384)])
const EFFORTS = ['auto', -7, -1, 1, 3, 19] as const

describe.each(EFFORTS)('effort %s', (effort) => {
  const compressor = createCompressor(effort)

  test('gives back what it took', () => {
    for (const plain of [TEXT, MIXED, new Uint8Array(262_144), new Uint8Array(100), TEXT.subarray(0, 500)]) {
      const target = new Uint8Array(plain.length + 20).fill(0xee)
      const { codec, length } = compressor.compressInto(plain, target, 10)!
      expect(length).toBeGreaterThan(0)
      expect(length).toBeLessThan(plain.length)
      expect(decompressed(target.subarray(10, 10 + length), plain.length, codec).equals(plain)).toBe(true)
      expect([...target.subarray(0, 10), ...target.subarray(-10)]).toEqual(new Array(20).fill(0xee))
    }
  })

  test('what does not shrink does not pay, and nothing is written beyond its room', () => {
    for (const length of [0, 1, 2, 8, 13, 100, 65_536, 200_000]) {
      const target = new Uint8Array(length + 8).fill(0xee)
      expect(compressor.compressInto(seededBytes('noise', length), target, 0)).toBeUndefined()
      expect([...target.subarray(length)]).toEqual(new Array(8).fill(0xee))
    }
  })

  test('is always smaller or nothing, and always decompresses', () => {
    const anyPlain = fc.tuple(fc.nat(20_000), fc.nat(20_000), fc.uint8Array({ maxLength: 40 }))
    fc.assert(
      fc.property(anyPlain, ([noise, same, end]) => {
        const plain = Buffer.concat([seededBytes(noise, noise), Buffer.alloc(same, 7), end])
        const target = new Uint8Array(plain.length)
        const compressed = compressor.compressInto(plain, target, 0)
        if (!compressed) return
        const { codec, length } = compressed
        expect(length).toBeLessThan(plain.length)
        expect(decompressed(target.subarray(0, length), plain.length, codec).equals(plain)).toBe(true)
      }),
      { numRuns: effort === 19 ? 20 : 100 },
    )
  })

  test('too little room is refused', () => {
    expect(() => compressor.compressInto(TEXT, new Uint8Array(TEXT.length), 1)).toThrow(RangeError)
    expect(() => compressor.compressInto(TEXT, new Uint8Array(TEXT.length), -1)).toThrow(RangeError)
  })
})

describe('auto', () => {
  const lengthOf = (effort: 'auto' | number, plain: Uint8Array): number =>
    createCompressor(effort).compressInto(plain, new Uint8Array(plain.length), 0)?.length ?? 0

  test('spends more where that saves a tenth, and only there', () => {
    expect(lengthOf('auto', TEXT)).toBe(lengthOf(1, TEXT))
    expect(lengthOf('auto', TEXT)).toBeLessThan(lengthOf(-5, TEXT))
    const dense = Buffer.concat([seededBytes('dense', 60_000), TEXT.subarray(0, 8000)])
    expect(lengthOf('auto', dense)).toBe(lengthOf(-5, dense))
    expect(lengthOf(1, dense)).not.toBe(lengthOf(-5, dense))
  })

  test('what one chunk shows holds for those after it, for 4 MiB', () => {
    const compressor = createCompressor('auto')
    const target = new Uint8Array(65_536)
    const dense = Buffer.concat([seededBytes('dense', 57_536), TEXT.subarray(0, 8000)])
    const text = Buffer.alloc(65_536, TEXT)
    expect(compressor.compressInto(dense, target, 0)!.length).toBe(lengthOf(-5, dense))
    for (let i = 1; i < 64; i++) expect(compressor.compressInto(text, target, 0)!.length).toBe(lengthOf(-5, text))
    for (let i = 0; i < 3; i++) expect(compressor.compressInto(text, target, 0)!.length).toBe(lengthOf(1, text))
  })

  test('leaves raw what saves less than 3 %', () => {
    const nearly = (zeros: number): Buffer =>
      Buffer.concat([seededBytes('nearly', 65_536 - zeros), Buffer.alloc(zeros)])
    expect(lengthOf('auto', nearly(1500))).toBe(0)
    expect(lengthOf(1, nearly(1500))).toBeGreaterThan(0)
    expect(lengthOf('auto', nearly(4000))).toBeGreaterThan(0)
  })
})

describe('an XOR key', () => {
  const KEY = Buffer.from('5ca1ab1e0ddba11f', 'hex')
  const records = seededBytes('records', 300_000).map((byte, i) => (i % 11 < 5 ? 0 : byte)) as Buffer
  const file = Buffer.alloc(records.length)
  applyXorKey(records, KEY, file)
  /** Chunks whose lengths are no multiples of the key's. */
  const CUTS = [0, 50_001, 120_003, 120_010, 201_000, 300_000]

  test.each(EFFORTS)('is taken away at effort %s, wherever a chunk begins', (effort) => {
    const compressor = createCompressor(effort)
    const plainCompressor = createCompressor(effort)
    for (const [i, start] of CUTS.slice(0, -1).entries()) {
      const chunk = file.subarray(start, CUTS[i + 1])
      const target = Buffer.alloc(chunk.length)
      const compressed = compressor.compressInto(chunk, target, 0, start)
      const unkeyed = plainCompressor.compressInto(records.subarray(start, CUTS[i + 1]), Buffer.alloc(chunk.length), 0)
      if (chunk.length < 100) continue
      expect(compressed).toEqual({ codec: CODEC_XOR_ZSTD, length: unkeyed!.length + XOR_KEY_BYTES })
      const stored = target.subarray(0, compressed!.length)
      expect(stored[0]).toBe(KEY[start % 8])
      expect(decompressed(stored, chunk.length, CODEC_XOR_ZSTD).equals(chunk)).toBe(true)
    }
  })

  test('of one file is not taken for that of the next', () => {
    const compressor = createCompressor('auto')
    const target = Buffer.alloc(file.length)
    expect(compressor.compressInto(file, target, 0, 0)!.codec).toBe(CODEC_XOR_ZSTD)
    expect(compressor.compressInto(records, target, 0, 0)!.codec).toBe(CODEC_ZSTD)
  })

  test('without a frame behind it is CORRUPT', () => {
    for (let length = 0; length < 12; length++)
      expect(() => openCompressed(CODEC_XOR_ZSTD, KEY.subarray(0, length), new Uint8Array(100))).toThrow('zstd frame')
  })
})

test.each([-8, 20, 1.5, Number.NaN])('level %d is refused', (level) => {
  expect(() => createCompressor(level)).toThrow(RangeError)
})

describe('openCompressed refuses', () => {
  const frame = frameOf(TEXT)

  test('a target that is too small or too large', () => {
    for (const difference of [-1, 1, -TEXT.length]) expectCorrupt(frame, TEXT.length + difference)
  })

  test('every truncation, and anything appended', () => {
    const short = TEXT.subarray(0, 3000)
    const whole = frameOf(short)
    for (let length = 0; length < whole.length; length++) expectCorrupt(whole.subarray(0, length), short.length)
    expectCorrupt(Buffer.concat([whole, Buffer.alloc(1)]), short.length)
  })

  test('several frames, and frames to be skipped', () => {
    const half = TEXT.length / 2
    const halves = Buffer.concat([frameOf(TEXT.subarray(0, half)), frameOf(TEXT.subarray(half))])
    const skipped = Buffer.from('502a4d180400000001020304', 'hex')
    expectCorrupt(halves, TEXT.length)
    expectCorrupt(Buffer.concat([frame, frame]), TEXT.length)
    expectCorrupt(Buffer.concat([skipped, frame]), TEXT.length)
    expectCorrupt(Buffer.concat([frame, skipped]), TEXT.length)
    expectCorrupt(skipped, 0)
  })

  test('a bomb, before it writes beyond the target', () => {
    const bomb = frameOf(new Uint8Array(2 ** 28))
    expect(bomb.length).toBeLessThan(100_000)
    const memory = new Uint8Array(300).fill(0xee)
    const before = process.memoryUsage().rss
    expect(() => openCompressed(CODEC_ZSTD, bomb, memory.subarray(100, 200))).toThrow('zstd frame')
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 26)
    expect([...memory.subarray(0, 100), ...memory.subarray(200)]).toEqual(new Array(200).fill(0xee))
  })

  test('a bomb that does not say how large it is', () => {
    const context = new zstd.CCtx()
    const target = Buffer.alloc(2 ** 16)
    let length = 0
    for (let i = 0; i < 64; i++)
      length += context.compressStream2(target.subarray(length), new Uint8Array(2 ** 20), zstd.EndDirective.continue)[1]
    length += context.compressStream2(target.subarray(length), new Uint8Array(0), zstd.EndDirective.end)[1]
    const bomb = target.subarray(0, length)
    expect(zstd.getFrameContentSize(bomb)).toBeNull()
    expectCorrupt(bomb, 65_536)
  })

  test('flipped bits, or gives bytes that the id will tell from the right ones', () => {
    const damaged = Buffer.from(frame)
    let refused = 0
    for (let bit = 0; bit < frame.length * 8; bit += 13) {
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      try {
        expect(decompressed(damaged, TEXT.length)).toHaveLength(TEXT.length)
      } catch (error) {
        expect(isCode(error, 'CORRUPT')).toBe(true)
        refused++
      }
      damaged[bit >> 3]! ^= 1 << (bit & 7)
    }
    expect(refused).toBeGreaterThan(0)
    expect(decompressed(damaged, TEXT.length).equals(TEXT)).toBe(true)
  })

  test('noise', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => expectCorrupt(noise, 100)))
    const magic = Buffer.from('28b52ffd', 'hex')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => expectCorrupt(Buffer.concat([magic, noise]), 5000)),
      { numRuns: 1000 },
    )
  })
})

function frameOf(plain: Uint8Array): Buffer {
  const target = Buffer.alloc(zstd.compressBound(plain.length))
  return target.subarray(0, zstd.compress(target, plain, 1))
}

function decompressed(stored: Uint8Array, plainLength: number, codec = CODEC_ZSTD): Buffer {
  const target = Buffer.alloc(plainLength)
  openCompressed(codec, stored, target)
  return target
}

function expectCorrupt(stored: Uint8Array, plainLength: number): void {
  try {
    openCompressed(CODEC_ZSTD, stored, new Uint8Array(plainLength))
  } catch (error) {
    expect(isCode(error, 'CORRUPT')).toBe(true)
    return
  }
  expect.unreachable(`${stored.length} bytes were taken for a frame of ${plainLength}`)
}
