/** MB/s of finding cuts in random bytes and in zeros, beside the plain form of the loop. */
import { randomBytes } from 'node:crypto'
import { cpus } from 'node:os'
import { GEAR_HIGH, GEAR_LOW, MASKS } from '../src/native/gear.ts'
import { createReferenceFindCuts, endsAtMost } from '../src/native/scan.ts'

const random = new Uint8Array(randomBytes(64 * 2 ** 20))
const zeros = new Uint8Array(random.length)

console.log(`${cpus()[0]?.model}, Node ${process.version}: MB/s over ${random.length / 2 ** 20} MiB`)
console.log('average   findCuts   one byte a turn   findCuts on zeros')
for (const averageKiB of [16, 64, 256]) {
  const averageBytes = averageKiB * 1024
  const parameters = { minBytes: averageBytes / 4, averageBytes, maxBytes: averageBytes * 4, level: 1 }
  const findCuts = createReferenceFindCuts(parameters)
  const ends = new Uint32Array(endsAtMost(random.length, parameters))
  let count = 0
  const fast = rate(() => (count = findCuts(random, 0, random.length, true, ends)))
  const plain = rate(() => plainCuts(random, parameters.minBytes, averageBytes, parameters.maxBytes, ends))
  if (plainCuts(random, parameters.minBytes, averageBytes, parameters.maxBytes, ends) !== count)
    throw new Error('the two forms disagree')
  const onZeros = rate(() => findCuts(zeros, 0, zeros.length, true, ends))
  const columns = [`${averageKiB} KiB`.padEnd(9), String(fast).padEnd(10), String(plain).padEnd(17), onZeros]
  console.log(columns.join(' '))
}

function rate(run: () => unknown): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const start = performance.now()
    run()
    best = Math.min(best, performance.now() - start)
  }
  return Math.round(random.length / 1000 / best)
}

/** Level 1, even sizes: the same hash with the carry moved at every byte. */
function plainCuts(bytes: Uint8Array, min: number, average: number, max: number, ends: Uint32Array): number {
  const bits = Math.round(Math.log2(average))
  let count = 0
  for (let start = 0; start < bytes.length; start = ends[count++]!) {
    const end = Math.min(start + max, bytes.length)
    ends[count] = plainCut(bytes, start + min, Math.min(start + average, end), end, MASKS[bits + 1]!, MASKS[bits - 1]!)
  }
  return count
}

function plainCut(bytes: Uint8Array, at: number, centre: number, end: number, strict: number, loose: number): number {
  let high = 0
  let low = 0
  for (const [until, mask] of [
    [centre, strict],
    [end, loose],
  ] as const) {
    const maskHigh = Math.floor(mask / 2 ** 24)
    const maskLow = mask % 2 ** 24
    for (; at < until; at++) {
      const byte = bytes[at]!
      low = (low << 1) + GEAR_LOW[byte]!
      high = ((high << 1) + GEAR_HIGH[byte]! + (low >> 24)) | 0
      low &= 0xffffff
      if ((high & maskHigh) === 0 && (low & maskLow) === 0) return at
    }
  }
  return end
}
