import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_CUT_PARAMETERS, SEGMENT_BYTES } from '../../src/chunker/fastcdc.ts'
import { type CutParameters, createFindCuts, endsAtMost } from '../../src/native/scan.ts'
import { referenceCuts } from '../helpers/fastcdc-reference.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { splitBytes, splitStream } from '../helpers/split.ts'

const sizes = (minBytes: number, averageBytes: number, maxBytes: number, level: number): CutParameters => ({
  minBytes,
  averageBytes,
  maxBytes,
  level,
})
const toLengths = (ends: Uint32Array): number[] => Array.from(ends, (end, i) => end - (i ? ends[i - 1]! : 0))
const SMALL = sizes(64, 256, 1024, 1)
const file = '../shared/data/SekienAkashita.jpg'

describe('published known answers (fastcdc-rs, tests of v2020)', () => {
  test('10240 zeros', () => {
    const zeros = new Uint8Array(10240)
    expect(toLengths(splitBytes(zeros, SMALL))).toEqual(new Array(10).fill(1024))
    expect(referenceCuts(zeros, SMALL)).toEqual(new Array(10).fill({ length: 1024, hash: 14169102344523991076n }))
  })

  const vectors: [parameters: CutParameters, seed: bigint, cuts: string][] = [
    [
      sizes(4096, 16384, 65535, 1),
      0n,
      '21325:17968276318003433923 17140:8197189939299398838 28084:13019990849178155730 18217:4509236223063678303 24700:2504464741100432583',
    ],
    [
      sizes(4096, 16384, 65535, 1),
      666n,
      '10605:9312357714466240148 55745:226910853333574584 11346:12271755243986371352 5883:14153975939352546047 11586:5890158701071314778 14301:8981594897574481255',
    ],
    [sizes(8192, 32768, 131072, 1), 0n, '66549:15733367461443853673 42917:6321136627705800457'],
    [sizes(16384, 65536, 262144, 1), 0n, '109466:2504464741100432583'],
    [
      sizes(4096, 16384, 65535, 0),
      0n,
      '6634:443122261039895162 59915:15733367461443853673 25597:10460176299449652894 5237:6197802202431009942 12083:6321136627705800457',
    ],
    [
      sizes(8192, 16384, 32768, 3),
      0n,
      '17350:10718006254707412376 19911:13104072099671895560 17426:12322483109039221194 17519:16009206469796846404 19940:2473608525189754172 17320:2504464741100432583',
    ],
  ]
  test.skipIf(!existsSync(file)).each(vectors)(
    `${file} (skipped where it is missing): %o, seed %s`,
    (parameters, seed, published) => {
      const bytes = readFileSync(file)
      const cuts = referenceCuts(bytes, parameters, seed)
      expect(cuts.map((cut) => `${cut.length}:${cut.hash}`).join(' ')).toBe(published)
      // Odd sizes and seeds are fastcdc-rs's, not ours; no chunk of these comes near the maximum.
      const even = { ...parameters, maxBytes: parameters.maxBytes + (parameters.maxBytes % 2) }
      if (seed === 0n) expect(toLengths(splitBytes(bytes, even))).toEqual(cuts.map((cut) => cut.length))
    },
  )
})

describe.skipIf(!existsSync(file))(
  `${file} (skipped where it is missing), cut by an independent implementation`,
  () => {
    test.each([
      [sizes(2048, 8192, 65536, 1), '6634 12552 19279 16222 11862 3909 14308 7380 3628 9658 4034'],
      [sizes(2048, 8192, 65536, 2), '11597 9728 15936 9678 8880 9542 9126 10279 11008 9658 4034'],
      [
        sizes(1024, 4096, 16384, 2),
        '5063 1571 4963 5753 7154 7108 5014 5204 5109 4747 4133 4439 5103 1188 3909 5669 5133 4673 4722 1491 3628 1609 5504 6282 297',
      ],
      [sizes(4096, 16384, 65536, 2), '19186 19279 17354 16387 19940 17320'],
    ])('%o', (parameters, lengths) => {
      expect(toLengths(splitBytes(readFileSync(file), parameters)).join(' ')).toBe(lengths)
    })
  },
)

describe('4 MiB of SHAKE128("fastcdc-kat"), cut by an independent implementation', () => {
  const bytes = createHash('shake128', { outputLength: 2 ** 22 })
    .update('fastcdc-kat')
    .digest()

  test.each([
    [2048, 8192, 459, '22ff349480fced47c882d061d87acc9ba9e16cb68cfc38e3ee0908ffcfe061d6'],
    [4096, 16384, 225, '48201a895f8d72460bdde3108e0e50c2942f171c36b71320ee7ca51a3c12180c'],
  ])('min %i, average %i', (minBytes, averageBytes, count, digest) => {
    const lengths = toLengths(splitBytes(bytes, sizes(minBytes, averageBytes, 65536, 2)))
    expect(lengths).toHaveLength(count)
    if (averageBytes === 8192) expect(lengths.slice(0, 6)).toEqual([8567, 5770, 9546, 8580, 6627, 8940])
    const packed = Buffer.alloc(4 * lengths.length)
    for (const [i, length] of lengths.entries()) packed.writeUInt32LE(length, 4 * i)
    expect(createHash('sha3-256').update(packed).digest('hex')).toBe(digest)
  })
})

test('the defaults are 16, 64 and 256 KiB', () => {
  expect(DEFAULT_CUT_PARAMETERS).toEqual(sizes(16384, 65536, 262144, 1))
  expect(splitBytes(new Uint8Array(0), DEFAULT_CUT_PARAMETERS)).toHaveLength(0)
  expect([...splitBytes(new Uint8Array(1), DEFAULT_CUT_PARAMETERS)]).toEqual([1])
})

describe('cuts do not depend on how the input is split', () => {
  const bytes = new Uint8Array(Buffer.concat([seededBytes('a', 6000), new Uint8Array(5000), seededBytes('b', 9001)]))
  const expected = [...splitBytes(bytes, SMALL)]
  const splits = fc.array(fc.nat(bytes.length), { maxLength: 40 }).map((at) => at.sort((a, b) => a - b))

  test('into buffers', async () => {
    await fc.assert(
      fc.asyncProperty(splits, async (at) => {
        const pieces = [...at, bytes.length].map((end, i) => bytes.subarray(i ? at[i - 1] : 0, end))
        const chunks = await collect(splitStream(inOrder(pieces), SMALL))
        let end = 0
        expect(chunks.map((chunk) => (end += chunk.length))).toEqual(expected)
        expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  test('into slices of at least the maximum, with the rest carried over', () => {
    fc.assert(
      fc.property(fc.integer({ min: SMALL.maxBytes, max: bytes.length + 1 }), (sliceBytes) => {
        expect(cutInSlices(bytes, sliceBytes)).toEqual(expected)
      }),
      { numRuns: 500 },
    )
  })
})

test('a chunk ends at every multiple of a segment, and the next segment is cut as if it stood alone', async () => {
  const tail = seededBytes('tail', 300_000)
  const head = Buffer.alloc(SEGMENT_BYTES)
  seededBytes('head', 2 ** 20 + 77).copy(head)
  const pieces = [head.subarray(0, 999_999), head.subarray(999_999), tail.subarray(0, 1), tail.subarray(1)]
  const chunks = await collect(splitStream(inOrder(pieces), DEFAULT_CUT_PARAMETERS))
  const expected = [head, tail].flatMap((segment) => toLengths(splitBytes(segment, DEFAULT_CUT_PARAMETERS)))
  expect(chunks.map((chunk) => chunk.length)).toEqual(expected)
  expect(() => splitBytes(new Uint8Array(SEGMENT_BYTES + 1), DEFAULT_CUT_PARAMETERS)).toThrow(RangeError)
})

test("chunks are the consumer's, and the source may reuse its buffer", async () => {
  const bytes = seededBytes('owner', 5000)
  async function* reusing(): AsyncGenerator<Uint8Array> {
    const buffer = new Uint8Array(100)
    for (let at = 0; at < bytes.length; at += 100) {
      buffer.set(bytes.subarray(at, at + 100))
      yield buffer
    }
  }
  const copies: Buffer[] = []
  for await (const chunk of splitStream(reusing(), SMALL)) {
    copies.push(Buffer.from(chunk))
    chunk.fill(0)
  }
  expect(Buffer.concat(copies).equals(bytes)).toBe(true)
})

/** The ends of the chunks, found in a buffer of `sliceBytes` that is refilled behind what was carried over. */
function cutInSlices(bytes: Uint8Array, sliceBytes: number): number[] {
  const findCuts = createFindCuts(SMALL)
  const ends = new Uint32Array(endsAtMost(sliceBytes, SMALL))
  const found: number[] = []
  for (let at = 0; at < bytes.length; at = found.at(-1)!) {
    const slice = bytes.slice(at, at + sliceBytes)
    const count = findCuts(slice, 0, slice.length, at + sliceBytes >= bytes.length, ends)
    for (const end of ends.subarray(0, count)) found.push(at + end)
  }
  return found
}

async function* inOrder(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}
