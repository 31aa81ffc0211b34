import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parsePackId } from '../../src/base/ids.ts'
import { diagnose, heal } from '../../src/format/heal.ts'
import {
  decodeParity,
  decodeParityHeader,
  encodeParity,
  PARITY_HEADER_BYTES,
  type Parity,
  parityBytes,
  parityShape,
} from '../../src/format/parity.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const ID = parsePackId('5a'.repeat(32))
const NAME = { packClass: 'data', id: ID } as const

const parityOf = (pack: Uint8Array, percent: number): Buffer => Buffer.concat(encodeParity(pack, { ...NAME, percent }))
const decode = (file: Uint8Array): Parity => decodeParity(file, NAME, 'parity')

/** The pack with blocks turned to something else. */
function damage(pack: Uint8Array, blocks: Iterable<number>, blockBytes = 4096): Buffer {
  const copy = Buffer.from(pack)
  for (const block of blocks) {
    const part = copy.subarray(block * blockBytes, (block + 1) * blockBytes)
    for (const [i, byte] of part.entries()) part[i] = byte ^ 0x5a
  }
  return copy
}

/** The same with parity blocks. */
function damageParity(file: Uint8Array, blocks: Iterable<number>): Buffer {
  const { shape } = decode(file)
  const start = PARITY_HEADER_BYTES + 4 * (shape.blocks + shape.parityRows * shape.columns)
  const copy = Buffer.from(file)
  for (const block of blocks) copy[start + block * shape.blockBytes + (block % shape.blockBytes)]! ^= 1
  return copy
}

const isSame = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.compare(a, b) === 0

describe('the shape', () => {
  test.each([
    [33_600_000, 10, { blockBytes: 4096, blocks: 8204, columns: 65, rows: 127, parityRows: 13 }, 3_533_640],
    [1, 1, { blockBytes: 1, blocks: 1, columns: 1, rows: 1, parityRows: 1 }, 145],
    [4097, 100, { blockBytes: 4096, blocks: 2, columns: 1, rows: 2, parityRows: 2 }, 2 * (64 + 16) + 8192],
    [128 * 4096, 100, { blockBytes: 4096, blocks: 128, columns: 1, rows: 128, parityRows: 128 }, undefined],
    [2 ** 30, 1, { blockBytes: 4096, blocks: 2 ** 18, columns: 2048, rows: 128, parityRows: 2 }, undefined],
  ] as const)('of %d bytes at %d %%', (packBytes, percent, shape, fileBytes) => {
    expect(parityShape({ packBytes, percent })).toEqual(shape)
    if (fileBytes) expect(parityBytes(shape)).toBe(fileBytes)
  })

  test('has room for the pack, never more than 128 rows, and as much parity as was asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 30 }), fc.integer({ min: 1, max: 100 }), (packBytes, percent) => {
        const { blockBytes, blocks, columns, rows, parityRows } = parityShape({ packBytes, percent })
        expect(rows * columns).toBeGreaterThanOrEqual(blocks)
        expect((rows - 1) * columns).toBeLessThan(blocks)
        expect(blocks * blockBytes).toBeGreaterThanOrEqual(packBytes)
        expect(rows).toBeLessThanOrEqual(128)
        expect(parityRows / rows).toBeGreaterThanOrEqual(percent / 100)
        expect(parityRows).toBeLessThanOrEqual(rows)
      }),
    )
  })
})

describe('heals', () => {
  test.each([
    [263, 10],
    [4096, 1],
    [3 * 4096 - 1, 34],
    [4 * 4096, 100],
    [6 * 4096 - 4000, 50],
  ])(
    'every pattern of damage to %d bytes with %d %% that it can, and changes nothing of any other',
    (length, percent) => {
      const pack = seededBytes(length, length)
      const file = parityOf(pack, percent)
      const { blocks, parityRows, blockBytes } = decode(file).shape
      let healed = 0
      for (let pattern = 0; pattern < 2 ** (blocks + parityRows); pattern++) {
        const bits = Array.from({ length: blocks + parityRows }, (_, i) => (pattern >> i) & 1)
        const bad = [...bits.keys()].filter((i) => i < blocks && bits[i])
        const badParity = [...bits.keys()].filter((i) => i >= blocks && bits[i]).map((i) => i - blocks)
        const damaged = damage(pack, bad, blockBytes)
        const parity = decode(damageParity(file, badParity))
        const canHeal = bad.length + badParity.length <= parityRows || bad.length === 0
        expect(diagnose(damaged, parity)).toEqual({ damaged: bad, canHeal })
        const before = Buffer.from(damaged)
        const result = heal(damaged, parity)
        if (canHeal) expect(isSame(result, pack)).toBe(true)
        else expect(result).toBe(undefined)
        expect(damaged.equals(before)).toBe(true)
        healed += Number(canHeal)
      }
      expect(healed).toBeGreaterThan(1)
    },
  )

  test('large packs, damaged up to the limit in every column, and not one block more', () => {
    const anyPack = fc.record({
      length: fc.integer({ min: 1, max: 3_000_000 }),
      percent: fc.integer({ min: 1, max: 100 }),
    })
    fc.assert(
      fc.property(anyPack, fc.nat(), ({ length, percent }, seed) => {
        const pack = seededBytes(`large ${length}`, length)
        const file = parityOf(pack, percent)
        const parity = decode(file)
        const { blocks, columns, parityRows, blockBytes } = parity.shape
        const shuffled = Array.from({ length: blocks }, (_, i) => i).sort(
          (a, b) => crc32(Buffer.from(`${seed} ${a}`)) - crc32(Buffer.from(`${seed} ${b}`)),
        )
        const taken = new Map<number, number>()
        const bad = shuffled.filter((block) => {
          const count = taken.get(block % columns) ?? 0
          taken.set(block % columns, count + 1)
          return count < parityRows
        })
        expect(isSame(heal(damage(pack, bad, blockBytes), parity), pack)).toBe(true)
        const oneMore = shuffled.find((block) => !bad.includes(block))
        if (oneMore !== undefined) expect(heal(damage(pack, [...bad, oneMore], blockBytes), parity)).toBe(undefined)
      }),
      { numRuns: 8 },
    )
  })

  test('a burst of a MiB, a cut end, a lost beginning, bytes too many, and all at once with damaged parity', () => {
    const pack = seededBytes('burst', 12 * 2 ** 20 + 17)
    const file = parityOf(pack, 10)
    const parity = decode(file)
    const lost = 2 ** 20
    for (const start of [0, 1, 4095, 5_000_000, pack.length - lost]) {
      const copy = Buffer.from(pack)
      copy.fill(0, start, start + lost)
      expect(isSame(heal(copy, parity), pack)).toBe(true)
    }
    expect(isSame(heal(pack.subarray(0, pack.length - lost), parity), pack)).toBe(true)
    expect(isSame(heal(Buffer.concat([pack, Buffer.alloc(5000, 1)]), parity), pack)).toBe(true)
    expect(heal(pack.subarray(0, pack.length - 2 * lost), parity)).toBe(undefined)
    expect(heal(new Uint8Array(0), parity)).toBe(undefined)
    const burst = damageParity(
      file,
      Array.from({ length: 2 * parity.shape.columns }, (_, i) => i),
    )
    expect(isSame(heal(pack.subarray(0, pack.length - lost), decode(burst)), pack)).toBe(true)
  })

  test('a pack that is gone, where there is as much parity', () => {
    const pack = seededBytes('gone', 100_000)
    expect(isSame(heal(new Uint8Array(0), decode(parityOf(pack, 100))), pack)).toBe(true)
  })
})

describe('the file', () => {
  const pack = seededBytes('file', 9000)
  const file = parityOf(pack, 30)

  test('is as it should be', () => {
    const parity = decode(file)
    expect(parity.header).toMatchObject({ ...NAME, packBytes: 9000, percent: 30 })
    expect(parity.isSound).toBe(true)
    expect(file.length).toBe(parityBytes(parity.shape))
  })

  test('shows the flip of any bit of any byte, and is of use in spite of it', () => {
    const [damaged] = [damage(pack, [1])]
    for (let at = 0; at < file.length; at += at < 100 || at > file.length - 100 ? 1 : 7) {
      const copy = Buffer.from(file)
      copy[at]! ^= 1 << (at % 8)
      const parity = decode(copy)
      expect(parity.isSound).toBe(false)
      const inBlocks = parity.isBlockSound.includes(false)
      expect(heal(damaged!, parity) === undefined).toBe(inBlocks)
      expect(isSame(heal(pack, parity), pack)).toBe(true)
    }
  })

  test('may be cut off anywhere behind its table, or begin with the wrong bytes', () => {
    for (const end of [file.length - 1, file.length - 65, file.length - 150, 3000, 100]) {
      const parity = decode(file.subarray(0, end))
      expect(parity.isSound).toBe(false)
      expect(parity.shape.parityRows).toBe(1)
    }
    const copy = Buffer.from(file).fill(0, 0, 70)
    expect(isSame(heal(damage(pack, [2]), decode(copy)), pack)).toBe(true)
    expect(decode(Buffer.concat([file, Buffer.alloc(1)])).isSound).toBe(false)
  })

  test('is refused if both headers are damaged, or it is of another pack', () => {
    const copy = Buffer.from(file)
    copy[20]! ^= 1
    copy[copy.length - 1]! ^= 1
    expect(() => decode(copy)).toThrow('both headers are damaged')
    expect(() => decode(Buffer.alloc(0))).toThrow('both headers are damaged')
    expect(() => decodeParity(file, { ...NAME, packClass: 'meta' }, 'parity')).toThrow('both headers')
    expect(() => decodeParity(file, { ...NAME, id: parsePackId('00'.repeat(32)) }, 'parity')).toThrow('both headers')
  })

  test.each([
    [8, 2, 'version'],
    [9, 3, 'class'],
    [10, 0, 'parity of 0 %'],
    [10, 101, 'parity of 101 %'],
    [11, 1, 'flags'],
    [51, 0x41, 'a pack of'],
    [56, 1, 'flags'],
    [0, 0, 'not parity'],
  ])('has no header with %i at %i', (at, value, why) => {
    const head = Buffer.from(file.subarray(0, PARITY_HEADER_BYTES))
    head[at] = value
    head.writeUInt32LE(crc32(head.subarray(0, 60)), 60)
    expect(() => decodeParityHeader(head, 'parity')).toThrow(why)
  })

  test('of other bytes never makes a pack of which a checksum does not fit', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 10_000 }), fc.nat(20_000), (bytes, cut) => {
        const result = heal(bytes, decode(file.subarray(0, Math.max(200, cut))))
        if (result) expect(isSame(result, pack)).toBe(true)
      }),
    )
  })
})
