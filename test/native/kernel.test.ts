import { createHash, hash, randomBytes } from 'node:crypto'
import { sha3_256 as nobleSha3 } from '@noble/hashes/sha3.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type HashChunks, hashChunks, hashChunksOneByOne } from '../../src/native/hash.ts'
import { type Addon, createKernelFindCuts, type HashPath, loadAddon, pickKernel } from '../../src/native/kernel.ts'
import { type CutParameters, createReferenceFindCuts, endsAtMost, type FindCuts } from '../../src/native/scan.ts'
import { applyXorKeyByWords } from '../../src/native/xor-key.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const addon = loadAddon()
const paths = Object.entries(addon?.hashChunks ?? {})
const BLOCK = 136

/** Bytes that end where their memory ends, so that a sanitizer sees every step beyond. */
const exact = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

function idsOf(hashChunks: HashChunks, chunks: readonly Uint8Array[]): string[] {
  let end = 0
  const ends = Uint32Array.from(chunks, (chunk) => (end += chunk.length))
  const ids = new Uint8Array(32 * chunks.length)
  hashChunks(exact(Buffer.concat(chunks)), 0, ends, chunks.length, ids, 0)
  return chunks.map((_, i) => hex(ids.subarray(32 * i, 32 * i + 32)))
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const sha3 = (bytes: Uint8Array): string => hash('sha3-256', bytes)

describe.each([['OpenSSL', hashChunksOneByOne], ['what is picked', hashChunks], ...paths] as const)(
  'hashes by %s',
  (_, hashChunks) => {
    test('as NIST says', () => {
      const messages = [new Uint8Array(0), Buffer.from('abc'), Buffer.alloc(200, 0xa3), Buffer.alloc(1e6, 'a')]
      expect(idsOf(hashChunks, messages)).toEqual([
        'a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a',
        '3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532',
        '79f38adec5c20307a98ef76e8324afbfd46cfd81b22e3973c65fa1bd9de31787',
        '5c8875ae474a3634ba4fd55ec85bffd661f32aca75c6d699d0cdcb6c115891c1',
      ])
    })

    test('at every length up to 1100 and around every multiple of the block up to 16 KiB', () => {
      const bytes = seededBytes('lengths', 17_000)
      const around = Array.from({ length: 120 }, (_, i) => [-1, 0, 1].map((d) => (i + 1) * BLOCK + d)).flat()
      const chunks = [...Array.from({ length: 1101 }, (_, i) => i), ...around].map((length) =>
        bytes.subarray(0, length),
      )
      expect(idsOf(hashChunks, chunks)).toEqual(chunks.map(sha3))
      for (const chunk of chunks.filter((_, i) => i % 23 === 0))
        expect(idsOf(hashChunks, [chunk])).toEqual([sha3(chunk)])
    })

    test('batches of mixed lengths', () => {
      const bytes = randomBytes(300_000)
      const length = fc.oneof(fc.nat(300), fc.nat(20_000), fc.nat(300_000))
      fc.assert(
        fc.property(fc.array(length, { maxLength: 100 }), (lengths) => {
          const chunks = lengths.map((length, i) => bytes.subarray(i % 7, Math.max(length, i % 7)))
          const ids = idsOf(hashChunks, chunks)
          expect(ids).toEqual(chunks.map(sha3))
          const short = chunks.findIndex((chunk) => chunk.length < 2000)
          if (short >= 0) expect(ids[short]).toBe(hex(nobleSha3(chunks[short]!)))
        }),
        { numRuns: 15 },
      )
    })

    test('more chunks than are sorted at a time', () => {
      const chunks = Array.from({ length: 1000 }, (_, i) => seededBytes(i, (i * 37) % 400))
      expect(idsOf(hashChunks, chunks)).toEqual(chunks.map(sha3))
    })

    test('parts of arrays at odd offsets, and writes nothing beside', () => {
      const memory = seededBytes('offsets', 5000)
      const ends = new Uint32Array([0, 0, 0, 140, 150, 2000, 2001, 4000]).subarray(3)
      for (const offset of [0, 1, 3, 13]) {
        const bytes = memory.subarray(offset, offset + 4500)
        const ids = new Uint8Array(offset + 5 * 32 + 9).fill(0xee)
        hashChunks(bytes, 5, ends, 5, ids, offset)
        expect(hex(ids.subarray(0, offset))).toBe('ee'.repeat(offset))
        expect(hex(ids.subarray(offset + 160))).toBe('ee'.repeat(9))
        const chunks = [...ends].map((end, i) => bytes.subarray(i === 0 ? 5 : ends[i - 1], end))
        expect(hex(ids.subarray(offset, offset + 160))).toBe(chunks.map(sha3).join(''))
      }
    })

    test('nothing at all', () => {
      hashChunks(new Uint8Array(0), 0, new Uint32Array(0), 0, new Uint8Array(0), 0)
      expect(idsOf(hashChunks, [new Uint8Array(0), new Uint8Array(0)])).toEqual(Array(2).fill(sha3(new Uint8Array(0))))
    })

    test('refuses what does not fit', () => {
      const bytes = new Uint8Array(1000)
      const ids = new Uint8Array(96)
      expect(() => hashChunks(bytes, 0, Uint32Array.of(5, 9, 1001), 3, ids, 0)).toThrow(RangeError)
      expect(() => hashChunks(bytes, 0, Uint32Array.of(5, 4, 9), 3, ids, 0)).toThrow(RangeError)
      expect(() => hashChunks(bytes, 6, Uint32Array.of(5, 9), 2, ids, 0)).toThrow(RangeError)
      expect(() => hashChunks(bytes, 0, Uint32Array.of(5, 9, 10), 3, ids, 1)).toThrow(RangeError)
    })
  },
)

const cutParameters = (minBytes: number, averageBytes: number, maxBytes: number, level = 1): CutParameters => ({
  minBytes,
  averageBytes,
  maxBytes,
  level,
})
const SMALL = cutParameters(64, 256, 1024)

function cuts(findCuts: FindCuts, bytes: Uint8Array, parameters: CutParameters, start = 0, last = true): number[] {
  const ends = new Uint32Array(endsAtMost(bytes.length, parameters))
  return [...ends.subarray(0, findCuts(bytes, start, bytes.length, last, ends))]
}

describe.skipIf(!addon)('the kernel (skipped where it was not built)', () => {
  const { findCuts, hashChunks, applyXorKey } = addon ?? ({} as Addon)

  describe('cuts', () => {
    test('as published: 4 MiB of SHAKE128("fastcdc-kat")', () => {
      const bytes = createHash('shake128', { outputLength: 4 * 2 ** 20 })
        .update('fastcdc-kat')
        .digest()
      const parameters = cutParameters(2048, 8192, 65_536, 2)
      const ends = cuts(createKernelFindCuts(addon!, parameters), bytes, parameters)
      const lengths = Uint32Array.from(ends, (end, i) => end - (ends[i - 1] ?? 0))
      expect([...lengths.subarray(0, 6)]).toEqual([8567, 5770, 9546, 8580, 6627, 8940])
      expect(sha3(new Uint8Array(lengths.buffer))).toBe(
        '22ff349480fced47c882d061d87acc9ba9e16cb68cfc38e3ee0908ffcfe061d6',
      )
    })

    test('as TypeScript does', () => {
      const anyParameters = fc.constantFrom(
        SMALL,
        cutParameters(64, 256, 2048, 3),
        cutParameters(66, 258, 1026, 0),
        cutParameters(100, 1500, 5000, 2),
        cutParameters(1022, 4096, 4098, 3),
        cutParameters(64, 8192, 32_768, 0),
        cutParameters(2048, 16_384, 65_536, 3),
        cutParameters(16_384, 65_536, 262_144, 1),
      )
      const piece = fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc
          .tuple(fc.constantFrom(0, 0, 1, 255), fc.nat(600_000))
          .map(([value, length]) => new Uint8Array(length).fill(value)),
        fc.tuple(fc.nat(), fc.nat(400_000)).map(([seed, length]) => seededBytes(seed, length)),
        fc
          .tuple(fc.nat(), fc.nat(100_000), fc.constantFrom(1, 3, 0x81))
          .map(([seed, length, bits]) => seededBytes(seed, length).map((byte) => byte & bits)),
      )
      const anyBytes = fc.array(piece, { maxLength: 5 }).map((pieces) => exact(Buffer.concat(pieces)))
      fc.assert(
        fc.property(anyBytes, anyParameters, fc.nat(50), fc.boolean(), (bytes, parameters, skipped, last) => {
          const start = Math.min(skipped, bytes.length)
          const expected = cuts(createReferenceFindCuts(parameters), bytes, parameters, start, last)
          expect(cuts(createKernelFindCuts(addon!, parameters), bytes, parameters, start, last)).toEqual(expected)
        }),
        { numRuns: 60 },
      )
    })

    describe('in blocks of four lanes of 1024 bytes', () => {
      const parameters = cutParameters(64, 32_768, 65_536, 0)
      const { minBytes, averageBytes } = parameters
      const findCuts = createKernelFindCuts(addon!, parameters)
      const noise = exact(seededBytes('a match', 300_000))

      // The 48 bytes that decide whether the last of them, on which the next chunk begins, matches. Zeros never do.
      const matchAt = (end: number): Uint8Array => noise.subarray(end - 47, end + 1)
      const match = matchAt(cuts(createReferenceFindCuts(parameters), noise, parameters)[0]!)
      const withMatches = (length: number, ends: readonly number[], match: Uint8Array): Uint8Array => {
        const bytes = new Uint8Array(length)
        for (const end of ends) bytes.set(match, end - 47)
        return bytes
      }

      test('a match anywhere around their bounds', () => {
        for (const from of [minBytes, averageBytes - 2048, averageBytes])
          for (let bound = from; bound <= from + 9 * 1024; bound += 1024)
            for (let end = Math.max(bound - 2, minBytes + 47); end < bound + 66; end++)
              expect(cuts(findCuts, withMatches(averageBytes + 12_288, [end], match), parameters)[0]).toBe(end)
      })

      test.each([-2, 0, 2])('a match of the loose mask around the average length, %i bytes off a bound', (off) => {
        const parameters = cutParameters(64, 64 + 8192 + off, 65_536, 1)
        const reference = createReferenceFindCuts(parameters)
        const ends = cuts(reference, noise, parameters)
        const loose = matchAt(ends.find((end, i) => i > 0 && end - ends[i - 1]! > parameters.averageBytes + 48)!)
        for (let end = parameters.averageBytes - 60; end < parameters.averageBytes + 60; end++) {
          const bytes = withMatches(16_384, [end], loose)
          const found = cuts(createKernelFindCuts(addon!, parameters), bytes, parameters)
          expect(found).toEqual(cuts(reference, bytes, parameters))
          expect(found[0]).toBe(end < parameters.averageBytes ? bytes.length : end)
        }
      })

      test('of several matches the first, whatever their lanes', () => {
        const places = [50, 500, 1000, 1100, 1700, 2070, 2900, 3100, 4000, 4190, 6000, 8100].map((at) => minBytes + at)
        for (const first of places)
          for (const second of places)
            expect(cuts(findCuts, withMatches(12_800, [first, second], match), parameters)[0]).toBe(
              Math.min(first, second),
            )
      })

      test.each([
        cutParameters(64, 8192, 16_384, 0),
        cutParameters(66, 10_002, 40_000, 1),
        cutParameters(2048, 8192, 65_536, 2),
      ])('as TypeScript does, at every length around their bounds: %o', (parameters) => {
        const findCuts = createKernelFindCuts(addon!, parameters)
        const reference = createReferenceFindCuts(parameters)
        for (const from of [parameters.minBytes, parameters.averageBytes])
          for (let bound = from; bound <= from + 9 * 1024; bound += 1024)
            for (let length = bound - 3; length <= bound + 3; length++) {
              const bytes = exact(noise.subarray(bound, bound + length))
              expect(cuts(findCuts, bytes, parameters)).toEqual(cuts(reference, bytes, parameters))
            }
      })
    })

    test('and writes no more ends than there are', () => {
      const ends = new Uint32Array(20).fill(7)
      const count = createKernelFindCuts(addon!, SMALL)(new Uint8Array(3000), 0, 3000, true, ends.subarray(2))
      expect([...ends.subarray(0, 2), count, ...ends.subarray(2, 6)]).toEqual([7, 7, 3, 1024, 2048, 3000, 7])
    })
  })

  describe('refuses', () => {
    const bytes = new Uint8Array(5000)
    const ends = Uint32Array.of(10, 20)
    const ids = new Uint8Array(64)
    const scanner = new BigUint64Array(261).fill(64n)
    const detached = new Uint8Array(5000)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    const notBytes: unknown[] = [undefined, null, 5, '', [], {}, new ArrayBuffer(5000), new DataView(bytes.buffer)]
    const notU32: unknown[] = [undefined, null, '1', {}, 1n, -1, -0.5, 0.5, NaN, Infinity, -Infinity, 2 ** 32, 2 ** 53]
    const call = (func: unknown, given: readonly unknown[], i: number, value: unknown) => (): unknown =>
      (func as (...values: unknown[]) => unknown)(...given.with(i, value))

    const cutArguments = [bytes, 0, 5000, true, new Uint32Array(200), scanner]
    test.each([
      ['bytes', 0, [...notBytes, detached, new Int8Array(5000), new Uint16Array(5000), bytes.subarray(0, 4999)]],
      ['start', 1, [...notU32, 5001]],
      ['end', 2, [...notU32, 5001]],
      ['last', 3, [undefined, 0, 'true']],
      ['ends', 4, [...notBytes, bytes, new Int32Array(200), new Uint32Array(78), new Uint32Array(0)]],
      ['scanner', 5, [...notBytes, new BigInt64Array(261), scanner.subarray(1), new BigUint64Array(0)]],
      ['sizes of no chunk', 5, [scanner.with(0, 0n), new BigUint64Array(261)]],
      ['sizes in disorder', 5, [scanner.with(0, 65n), scanner.with(2, 63n)]],
      ['sizes out of reach', 5, [scanner.with(2, 2n ** 24n + 1n), new BigUint64Array(261).fill(2n ** 64n - 64n)]],
    ])('in findCuts: %s', (_, i, values) => {
      for (const value of values) expect(call(findCuts, cutArguments, i, value)).toThrow(RangeError)
    })

    const hashArguments = [bytes, 0, ends, 2, ids, 0]
    test.each([
      ['bytes', 0, [...notBytes, detached, new Int8Array(5000), new Float64Array(5000), bytes.subarray(0, 19)]],
      ['start', 1, [...notU32, 11, 5001]],
      ['ends', 2, [...notBytes, bytes, ends.subarray(1), Uint32Array.of(20, 10), Uint32Array.of(10, 5001)]],
      ['count', 3, [...notU32, 3]],
      ['ids', 4, [...notBytes, detached, ends, ids.subarray(1)]],
      ['idsOffset', 5, [...notU32, 1, 65]],
    ])('in hashChunks: %s', (_, i, values) => {
      for (const path of Object.values(hashChunks))
        for (const value of values) expect(call(path, hashArguments, i, value)).toThrow(RangeError)
    })

    const xorArguments = [bytes, new Uint8Array(8), new Uint8Array(5000)]
    test.each([
      ['bytes', 0, [...notBytes, new Int8Array(5000), new Uint8Array(5001)]],
      ['key', 1, [...notBytes, detached, ends, bytes]],
      ['target', 2, [...notBytes, detached, ends, bytes.subarray(1)]],
    ])('in applyXorKey: %s', (_, i, values) => {
      for (const value of values) expect(call(applyXorKey, xorArguments, i, value)).toThrow(RangeError)
    })

    test('too few arguments', () => {
      for (const func of [findCuts, applyXorKey, ...Object.values(hashChunks)])
        expect(() => Reflect.apply(func, undefined, [])).toThrow(RangeError)
    })

    test('but not what is right', () => {
      expect(Reflect.apply(findCuts, undefined, cutArguments)).toBe(79)
      for (const path of Object.values(hashChunks)) Reflect.apply(path, undefined, hashArguments)
      Reflect.apply(applyXorKey, undefined, xorArguments)
    })
  })
})

describe('what is picked', () => {
  const right: Addon = {
    findCuts: (bytes, start, end, last, ends, scanner) => {
      const [minBytes, averageBytes, maxBytes] = Array.from(scanner.subarray(0, 3), Number)
      return createReferenceFindCuts(cutParameters(minBytes!, averageBytes!, maxBytes!))(bytes, start, end, last, ends)
    },
    applyXorKey: applyXorKeyByWords,
    hashChunks: {
      avx512: hashChunksOneByOne,
      avx2: (...values) => hashChunksOneByOne(...values),
      portable: hashChunks,
    },
  }
  const wrongHash: HashChunks = (bytes, start, ends, count, ids, idsOffset) => {
    hashChunksOneByOne(bytes, start, ends, count, ids, idsOffset)
    ids[idsOffset + 32 * count - 1]! ^= 1
  }
  const with512 = (avx512: HashChunks): Addon => ({ ...right, hashChunks: { ...right.hashChunks, avx512 } })
  const pickedPath = (addon: Addon | undefined, forced?: string): string | undefined => {
    const picked = pickKernel(() => addon, forced)?.hashChunks
    return (Object.keys(addon?.hashChunks ?? {}) as HashPath[]).find((path) => addon!.hashChunks[path] === picked)
  }

  test('is the fastest that gives right answers', () => {
    expect(pickedPath(right)).toBe('avx512')
    expect(pickedPath(with512(wrongHash))).toBe('avx2')
    expect(pickedPath({ ...right, hashChunks: { portable: hashChunksOneByOne } })).toBe(undefined)
  })

  test('is what is forced', () => {
    for (const path of ['avx512', 'avx2', 'portable']) expect(pickedPath(right, path)).toBe(path)
    expect(pickKernel(() => right, 'off')).toBe(undefined)
  })

  test('is an error where it cannot be what is forced', () => {
    for (const forced of ['neon', 'fast', 'findCuts']) expect(() => pickKernel(() => right, forced)).toThrow(forced)
    expect(() => pickKernel(() => with512(wrongHash), 'avx512')).toThrow('there is no avx512 kernel')
    expect(() => pickKernel(() => undefined, 'avx2')).toThrow('there is no avx2 kernel')
  })

  test('is nothing where there is none, or it cuts or XORs wrongly', () => {
    expect(pickKernel(() => undefined, undefined)).toBe(undefined)
    for (const averageBytes of [256, 8192]) {
      const cutsLate: Addon['findCuts'] = (bytes, start, end, last, ends, scanner) => {
        const count = right.findCuts(bytes, start, end, last, ends, scanner)
        if (Number(scanner[1]) === averageBytes) ends[count - 2]! += 1
        return count
      }
      expect(pickKernel(() => ({ ...right, findCuts: cutsLate }), undefined)).toBe(undefined)
      expect(() => pickKernel(() => ({ ...right, findCuts: cutsLate }), 'avx2')).toThrow('there is no avx2 kernel')
    }
    const xorsNothing: Addon['applyXorKey'] = (bytes, _, target) => target.set(bytes)
    expect(pickKernel(() => ({ ...right, applyXorKey: xorsNothing }), undefined)).toBe(undefined)
  })

  test.each(['findCuts', 'applyXorKey', 'hashChunks'])('is nothing where it is from before there was %s', (name) => {
    const { [name as keyof Addon]: _, ...stale } = right
    expect(pickKernel(() => stale as Addon, undefined)).toBe(undefined)
    expect(() => pickKernel(() => stale as Addon, 'avx2')).toThrow('there is no avx2 kernel')
  })

  test('passes over a path that throws', () => {
    const throws = (): never => {
      throw new RangeError('count must be at most that of ends')
    }
    expect(pickedPath(with512(throws))).toBe('avx2')
    expect(pickKernel(() => ({ ...right, addProducts: { avx2: throws } }), undefined)?.addProducts).toBe(undefined)
  })

  test('cuts by the addon', () => {
    const bytes = seededBytes('picked', 5000)
    const findCuts = pickKernel(() => right, undefined)!.createFindCuts(SMALL)
    expect(cuts(findCuts, bytes, SMALL)).toEqual(cuts(createReferenceFindCuts(SMALL), bytes, SMALL))
  })
})
