import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CutParameters, createFindCuts, createReferenceFindCuts, endsAtMost } from '../../src/native/scan.ts'
import { referenceCuts } from '../helpers/fastcdc-reference.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const KiB = 1024
const cutParameters = (minBytes: number, averageBytes: number, maxBytes: number, level = 1): CutParameters => ({
  minBytes,
  averageBytes,
  maxBytes,
  level,
})
const SMALL = cutParameters(64, 256, 1024)

const referenceLengths = (bytes: Uint8Array, parameters: CutParameters): number[] =>
  referenceCuts(bytes, parameters).map((cut) => cut.length)

describe.each([
  ['what is picked', createFindCuts],
  ['TypeScript', createReferenceFindCuts],
])('%s', (_, createFindCuts) => {
  function lengths(bytes: Uint8Array, parameters: CutParameters): number[] {
    const ends = new Uint32Array(endsAtMost(bytes.length, parameters))
    const count = createFindCuts(parameters)(bytes, 0, bytes.length, true, ends)
    return Array.from(ends.subarray(0, count), (end, i) => end - (i ? ends[i - 1]! : 0))
  }

  describe('equals the 64-bit reference', () => {
    const anyParameters = fc.constantFrom(
      SMALL,
      cutParameters(64, 256, 1024, 0),
      cutParameters(64, 256, 2048, 3),
      cutParameters(100, 1500, 5000, 2),
      cutParameters(66, 258, 1026, 1),
      cutParameters(1022, 4096, 4098, 3),
      cutParameters(64, 8192, 32 * KiB, 1),
    )
    // Few distinct bytes, runs and zeros as well as noise: lengths odd and even, around every limit.
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.constantFrom(0, 1, 255), fc.nat(3000)).map(([value, length]) => new Uint8Array(length).fill(value)),
      fc
        .tuple(fc.nat(), fc.nat(20_000), fc.constantFrom(3, 255, 255))
        .map(([seed, length, bits]) => new Uint8Array(seededBytes(seed, length)).map((byte) => byte & bits)),
    )
    const anyBytes = fc.array(piece, { maxLength: 5 }).map((pieces) => new Uint8Array(Buffer.concat(pieces)))

    test('on random data', () => {
      fc.assert(
        fc.property(anyBytes, anyParameters, (bytes, parameters) => {
          expect(lengths(bytes, parameters)).toEqual(referenceLengths(bytes, parameters))
        }),
        { numRuns: 300 },
      )
    })

    test('at every length of the last chunk', () => {
      const bytes = seededBytes('tail', 1300)
      for (let length = 0; length <= bytes.length; length++) {
        const part = bytes.subarray(0, length)
        expect(lengths(part, SMALL)).toEqual(referenceLengths(part, SMALL))
      }
    })

    test.each([
      cutParameters(4 * KiB, 16 * KiB, 64 * KiB),
      cutParameters(16 * KiB, 64 * KiB, 256 * KiB),
      cutParameters(16 * KiB, 64 * KiB, 256 * KiB, 2),
    ])('with real sizes: %o', (parameters) => {
      const bytes = seededBytes(`sizes ${parameters.averageBytes}`, 2 ** 20)
      expect(lengths(bytes, parameters)).toEqual(referenceLengths(bytes, parameters))
    })
  })

  describe('a part of a buffer', () => {
    const bytes = seededBytes('part', 10_000)

    test('gives offsets into the buffer and looks at nothing outside', () => {
      const ends = new Uint32Array(endsAtMost(8000, SMALL))
      const count = createFindCuts(SMALL)(bytes, 1001, 9001, true, ends)
      let at = 1001
      const expected = referenceLengths(bytes.subarray(1001, 9001), SMALL).map((length) => (at += length))
      expect([...ends.subarray(0, count)]).toEqual(expected)
    })

    test('without `last` stops where less than a whole maximum remains', () => {
      const findCuts = createFindCuts(SMALL)
      const ends = new Uint32Array(endsAtMost(bytes.length, SMALL))
      const all = [...ends.subarray(0, findCuts(bytes, 0, bytes.length, true, ends))]
      for (const end of [0, 1023, 1024, 5000, 9999]) {
        const some = [...ends.subarray(0, findCuts(bytes, 0, end, false, ends))]
        expect(some).toEqual(all.slice(0, some.length))
        expect(end - (some.at(-1) ?? 0)).toBeLessThan(SMALL.maxBytes)
      }
    })

    test('refuses what does not fit', () => {
      const findCuts = createFindCuts(SMALL)
      const ends = new Uint32Array(endsAtMost(bytes.length, SMALL))
      expect(() => findCuts(bytes, 0, bytes.length + 1, true, ends)).toThrow(RangeError)
      expect(() => findCuts(bytes, -1, 5, true, ends)).toThrow(RangeError)
      expect(() => findCuts(bytes, 6, 5, true, ends)).toThrow(RangeError)
      expect(() => findCuts(bytes, 0, bytes.length, true, new Uint32Array(3))).toThrow('no room')
    })
  })

  describe('zeros', () => {
    test.each([
      SMALL,
      cutParameters(4 * KiB, 16 * KiB, 64 * KiB),
      cutParameters(16 * KiB, 64 * KiB, 256 * KiB),
      cutParameters(64 * KiB, 256 * KiB, 1024 * KiB),
    ])('never match: %o', (parameters) => {
      const { maxBytes } = parameters
      const zeros = new Uint8Array(maxBytes)
      expect(referenceLengths(zeros, parameters)).toEqual([maxBytes])
      expect(lengths(new Uint8Array(3 * maxBytes), parameters)).toEqual([maxBytes, maxBytes, maxBytes])
    })

    test('a run that is not quite a maximum is scanned like anything else', () => {
      for (let position = 0; position < 3000; position += 37) {
        const bytes = new Uint8Array(3000)
        bytes.set(seededBytes(position, 200).subarray(0, 3000 - position), position)
        expect(lengths(bytes, SMALL)).toEqual(referenceLengths(bytes, SMALL))
      }
    })
  })
})

describe('parameters', () => {
  test.each([
    ['minBytes', { minBytes: 62 }],
    ['minBytes', { minBytes: 2 ** 20 + 2, averageBytes: 2 ** 21, maxBytes: 2 ** 22 }],
    ['minBytes', { minBytes: 65 }],
    ['averageBytes', { averageBytes: 254 }],
    ['averageBytes', { averageBytes: 257 }],
    ['averageBytes', { averageBytes: 2 ** 22 + 2, maxBytes: 2 ** 23 }],
    ['maxBytes', { maxBytes: 1022 }],
    ['maxBytes', { maxBytes: 1025 }],
    ['maxBytes', { maxBytes: 2 ** 24 + 2 }],
    ['maxBytes', { maxBytes: Number.NaN }],
    ['grow', { minBytes: 256 }],
    ['grow', { averageBytes: 1024 }],
    ['level', { level: 4 }],
    ['level', { level: 0.5 }],
    ['level', { level: -1 }],
  ])('%s is refused: %o', (message, change) => {
    expect(() => createFindCuts({ ...SMALL, ...change })).toThrow(RangeError)
    expect(() => createFindCuts({ ...SMALL, ...change })).toThrow(message)
  })

  test('the extremes are accepted', () => {
    createFindCuts(cutParameters(64, 256, 1024, 3))
    createFindCuts(cutParameters(2 ** 20, 2 ** 22, 2 ** 24, 3))
  })
})
