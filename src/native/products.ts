import { kernel } from './kernel.ts'

/**
 * A matrix times rows of bytes, in the field of 256 elements that AES has (FIPS 197 §4.2: polynomials modulo
 * x⁸ + x⁴ + x³ + x + 1): to each target the sum of all sources, each times its coefficient, is added. Sources lie one after
 * another, each `length` bytes, and so do the targets, beside them; coefficient t × sources + s is that of source s for
 * target t. At most 256 of each. Throws RangeError for what does not fit.
 */
export type AddProducts = (coefficients: Uint8Array, sources: Uint8Array, targets: Uint8Array, length: number) => void

/** By the kernel where there is one. */
export const addProducts: AddProducts = (coefficients, sources, targets, length) =>
  (kernel()?.addProducts ?? addProductsByTable)(coefficients, sources, targets, length)

/** Without the kernel. Four targets at once: one look-up answers the products of a source's byte for all of them. */
export const addProductsByTable: AddProducts = (coefficients, sources, targets, length) => {
  const [sourceCount, targetCount] = [sources.length / length, targets.length / length]
  if (!(Number.isInteger(sourceCount) && Number.isInteger(targetCount) && sourceCount <= 256 && targetCount <= 256))
    throw new RangeError(`no rows of ${length} bytes: ${sources.length} and ${targets.length}`)
  if (coefficients.length !== sourceCount * targetCount)
    throw new RangeError(`${coefficients.length} coefficients for ${sourceCount} sources and ${targetCount} targets`)
  for (let first = 0; first < targetCount; first += 4) {
    const rows = Array.from({ length: Math.min(4, targetCount - first) }, (_, t) => first + t)
    const sums = new Int32Array(length)
    for (let s = 0; s < sourceCount; s++) {
      const table = productsOf(rows.map((row) => coefficients[row * sourceCount + s]!))
      const source = sources.subarray(s * length, (s + 1) * length)
      for (let i = 0; i < length; i++) sums[i]! ^= table[source[i]!]!
    }
    for (const [t, row] of rows.entries())
      for (let i = 0, at = row * length; i < length; i++) targets[at + i]! ^= sums[i]! >>> (8 * t)
  }
}

/** Up to four coefficients times every element, as the bytes of words. */
function productsOf(coefficients: readonly number[]): Int32Array {
  const table = new Int32Array(256)
  for (const [t, coefficient] of coefficients.entries()) {
    const bytes = new Uint8Array(256)
    for (let i = 1; i < 256; i++) bytes[i] = doubled(bytes[i >> 1]!) ^ (i & 1 ? coefficient : 0)
    for (let i = 1; i < 256; i++) table[i]! |= bytes[i]! << (8 * t)
  }
  return table
}

/** Times the polynomial x, which is 2. */
const doubled = (a: number): number => ((a << 1) ^ ((a >> 7) * 0x11b)) & 0xff

/** Of two elements: their product. */
export function product(a: number, b: number): number {
  let sum = 0
  for (let bits = b, power = a; bits > 0; bits >>= 1, power = doubled(power)) if (bits & 1) sum ^= power
  return sum
}

/** Its product with the element, which must not be 0, is 1. */
export function reciprocal(a: number): number {
  const found = RECIPROCALS[a]
  if (!found) throw new RangeError(`${a} has no reciprocal`)
  return found
}

/** The powers of 3 are all elements but 0. */
const RECIPROCALS: Uint8Array = (() => {
  const powers = [1]
  for (let i = 1; i < 255; i++) powers.push(product(powers[i - 1]!, 3))
  const reciprocals = new Uint8Array(256)
  for (const [i, power] of powers.entries()) reciprocals[power] = powers[(255 - i) % 255]!
  return reciprocals
})()

/** The inverse of a square matrix, row by row, by Gauss and Jordan. Throws RangeError if it has none. */
export function invert(matrix: Uint8Array, size: number): Uint8Array {
  const left = Array.from({ length: size }, (_, row) => Uint8Array.from(matrix.subarray(row * size, (row + 1) * size)))
  const right = left.map((_, row) => Uint8Array.from({ length: size }, (_, column) => (row === column ? 1 : 0)))
  for (let at = 0; at < size; at++) {
    const pivot = left.findIndex((row, i) => i >= at && row[at] !== 0)
    if (pivot === -1) throw new RangeError('a matrix that has no inverse')
    for (const rows of [left, right]) [rows[at], rows[pivot]] = [rows[pivot]!, rows[at]!]
    const factor = reciprocal(left[at]![at]!)
    for (const rows of [left, right]) rows[at] = rows[at]!.map((element) => product(element, factor))
    for (let row = 0; row < size; row++) {
      const times = left[row]![at]!
      if (row === at || times === 0) continue
      for (const rows of [left, right])
        for (const [i, element] of rows[at]!.entries()) rows[row]![i]! ^= product(element, times)
    }
  }
  return Buffer.concat(right)
}
