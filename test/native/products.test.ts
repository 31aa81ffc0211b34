import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Addon, loadAddon, pickKernel } from '../../src/native/kernel.ts'
import {
  type AddProducts,
  addProducts,
  addProductsByTable,
  invert,
  product,
  reciprocal,
} from '../../src/native/products.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const addon = loadAddon()
const kernelPaths = Object.entries(addon?.addProducts ?? {})
/** Bytes that end where their memory ends, so that a sanitizer sees every step beyond. */
const exact = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

/** As the definition says, one product at a time. */
const addByDefinition: AddProducts = (coefficients, sources, targets, length) => {
  const [n, m] = [sources.length / length, targets.length / length]
  for (let t = 0; t < m; t++)
    for (let s = 0; s < n; s++)
      for (let i = 0; i < length; i++)
        targets[t * length + i]! ^= product(coefficients[t * n + s]!, sources[s * length + i]!)
}

describe('the field', () => {
  test('multiplies as FIPS 197 §4.2 does', () => {
    expect([product(0x57, 0x83), product(0x57, 0x13), product(0x53, 0xca)]).toEqual([0xc1, 0xfe, 1])
  })

  test('has a reciprocal of everything but 0', () => {
    for (let a = 1; a < 256; a++) expect(product(a, reciprocal(a))).toBe(1)
    for (const a of [0, 256, 0.5, -1]) expect(() => reciprocal(a)).toThrow(RangeError)
  })

  test('inverts matrices, and says which it cannot', () => {
    for (let size = 1; size < 20; size++) {
      const matrix = seededBytes(`matrix ${size}`, size * size)
      const identity = new Uint8Array(size * size)
      addByDefinition(matrix, invert(matrix, size), identity, size)
      expect([...identity]).toEqual(Array.from(identity, (_, i) => (i % (size + 1) === 0 ? 1 : 0)))
    }
    expect([...invert(Uint8Array.of(0, 1, 1, 0), 2)]).toEqual([0, 1, 1, 0])
    for (const matrix of [[0], [1, 2, 1, 2], [0, 0, 5, 6]])
      expect(() => invert(Uint8Array.from(matrix), Math.sqrt(matrix.length))).toThrow('no inverse')
  })
})

describe.each([['TypeScript', addProductsByTable], ['what is picked', addProducts], ...kernelPaths] as const)(
  'products by %s',
  (_, add) => {
    test('are those of the definition, at every length up to 200 and every small number of rows', () => {
      for (let length = 1; length <= 200; length++) {
        const [n, m] = [length % 10, (length >> 2) % 11]
        const [sources, targets] = [seededBytes(length, n * length), seededBytes(-length, m * length)]
        const coefficients = seededBytes(`coefficients ${length}`, n * m)
        const expected = Uint8Array.from(targets)
        addByDefinition(coefficients, sources, expected, length)
        const actual = exact(targets)
        add(exact(coefficients), exact(sources), actual, length)
        expect(Buffer.compare(actual, expected)).toBe(0)
      }
    })

    test('of every two elements', () => {
      const all = Uint8Array.from({ length: 256 }, (_, i) => i)
      const targets = new Uint8Array(256 * 256)
      add(all, all, targets, 256)
      expect(targets.every((byte, i) => byte === product(i >> 8, i & 0xff))).toBe(true)
    })

    test('of large matrices are those of TypeScript, wherever the bytes lie', () => {
      const memory = seededBytes('large', 2 ** 20)
      fc.assert(
        fc.property(fc.nat(40), fc.nat(40), fc.integer({ min: 1, max: 12_000 }), fc.nat(70), (n, m, length, at) => {
          const sources = memory.subarray(at, at + n * length)
          const coefficients = memory.subarray(3 * at, 3 * at + n * m)
          const [actual, expected] = [new Uint8Array(m * length + at).fill(9), new Uint8Array(m * length).fill(9)]
          add(coefficients, sources, actual.subarray(at), length)
          addProductsByTable(coefficients, sources, expected, length)
          expect(Buffer.compare(actual.subarray(at), expected)).toBe(0)
          expect(actual.subarray(0, at).every((byte) => byte === 9)).toBe(true)
        }),
        { numRuns: 20 },
      )
    })

    test('are refused where they do not fit', () => {
      const rows = new Uint8Array(100)
      for (const [coefficients, sources, targets, length] of [
        [4, 100, 100, 0],
        [4, 100, 100, 33],
        [3, 100, 100, 50],
        [5, 100, 100, 50],
        [2, 99, 100, 50],
        [2, 100, 99, 50],
        [257, 257, 1, 1],
        [257, 1, 257, 1],
      ] as const) {
        const [c, s, t] = [coefficients, sources, targets].map((size) => new Uint8Array(size))
        expect(() => add(c!, s!, t!, length)).toThrow(RangeError)
      }
      for (const length of [-1, 0.5, NaN, 2 ** 32]) expect(() => add(rows, rows, rows, length)).toThrow(RangeError)
    })
  },
)

test.skipIf(!addon)('the kernel refuses what are no bytes', () => {
  for (const add of Object.values(addon?.addProducts ?? {}))
    for (const wrong of [undefined, 5, [], new Int8Array(4), new Uint16Array(4), new ArrayBuffer(4)])
      for (let i = 0; i < 4; i++) {
        const given = [new Uint8Array(4), new Uint8Array(8), new Uint8Array(8), 4]
        expect(() => Reflect.apply(add, undefined, given.with(i, wrong as never))).toThrow(RangeError)
      }
})

describe('what is picked', () => {
  const wrong: AddProducts = (coefficients, sources, targets, length) => {
    addProductsByTable(coefficients, sources, targets, length)
    targets[targets.length - 1]! ^= 1
  }
  const right: AddProducts = (...values) => addProductsByTable(...values)
  const pick = (addProducts: Addon['addProducts'], forced?: string): AddProducts | undefined =>
    pickKernel(() => ({ ...addon!, addProducts }), forced)?.addProducts

  test.skipIf(!addon)('is the fastest that gives right answers, and needs no more than what is forced', () => {
    const all = { gfni512: right, avx2: wrong, portable: addProductsByTable }
    expect(pick(all)).toBe(right)
    expect(pick(all, 'portable')).toBe(addProductsByTable)
    expect(pick({ ...all, gfni512: wrong })).toBe(addProductsByTable)
    expect(pick({ portable: wrong })).toBe(undefined)
    expect(pick(undefined)).toBe(undefined)
  })
})
