import { expect, test } from 'vitest'
import { parseCompression } from '../../src/cli/compression.ts'
import { createCompressor } from '../../src/native/compress.ts'

test('names and levels', () => {
  expect(['auto', 'off', '-7', '0', '19'].map(parseCompression)).toEqual(['auto', 'off', -7, 0, 19])
  for (const wrong of ['', '20', '-8', '1.5', 'best', '003', 'toString', ' 1'])
    expect(parseCompression(wrong)).toBe(undefined)
})

test('the harder one tries, the less is stored', () => {
  const text = Buffer.from(
    Array.from({ length: 3000 }, (_, i) => `block ${i * 7919} has ${(i * 31) % 1000} outputs\n`).join(''),
  )
  const lengths = ['off', 'fast', 'auto', 'better', 'max'].map((name) => {
    const compressor = createCompressor(parseCompression(name)!)
    return compressor.compressInto(text, new Uint8Array(text.length), 0)?.length ?? text.length
  })
  const [off, fast, auto, better, max] = lengths as [number, number, number, number, number]
  expect(off).toBeGreaterThan(fast)
  expect(fast).toBeGreaterThan(Math.max(auto, better))
  expect(better).toBeGreaterThan(max)
})
