import { randomBytes } from 'node:crypto'
import { GEAR_HIGH, GEAR_LOW, MASKS } from '../../src/native/gear.ts'
import { type Addon, createKernelFindCuts } from '../../src/native/kernel.ts'
import { type CutParameters, createReferenceFindCuts, endsAtMost, type FindCuts } from '../../src/native/scan.ts'
import { type RaceOptions, race } from './race.ts'
import { madeBlocks } from './samples.ts'
import { type MicroRow, type MicroTable, megabytesASecond } from './table.ts'

const BYTES = 32 << 20
const CACHED_BYTES = 1 << 20

/** Finding cuts, by the kernel and by TypeScript, which reads four bytes a turn, beside the plain form of its loop. */
export async function raceScan(addon: Addon | undefined, options: RaceOptions): Promise<MicroTable> {
  const noise = new Uint8Array(randomBytes(BYTES))
  const made = madeBlocks(BYTES)
  const zeros = new Uint8Array(BYTES).fill(1).fill(0) // written to, or all its pages are one
  const all = { noise, 'noise in the cache': noise.subarray(0, CACHED_BYTES), 'made blocks': made, zeros }
  const rows: MicroRow[] = []
  for (const averageKiB of [16, 64, 256]) {
    for (const [what, bytes] of Object.entries(all)) {
      const averageBytes = averageKiB * 1024
      const parameters = { minBytes: averageBytes / 4, averageBytes, maxBytes: averageBytes * 4, level: 1 }
      const ends = new Uint32Array(endsAtMost(bytes.length, parameters))
      const rates = await race(
        scannersOf(addon, parameters),
        (findCuts) => {
          findCuts(bytes, 0, bytes.length, true, ends)
          return bytes.length
        },
        options,
      )
      rows.push({ name: `${what}, ${averageKiB} KiB on average`, cells: megabytesASecond(rates) })
    }
  }
  const note = `MB/s, on one core, of ${BYTES >> 20} MiB; in the cache, as a backup finds what it has read: of ${CACHED_BYTES >> 20}.`
  return { title: 'Finding cuts', note, rows }
}

function scannersOf(addon: Addon | undefined, parameters: CutParameters): Record<string, FindCuts> {
  return {
    ...(addon && { kernel: createKernelFindCuts(addon, parameters) }),
    TypeScript: createReferenceFindCuts(parameters),
    'a byte a turn': createPlainFindCuts(parameters),
  }
}

/** Level 1, even sizes, to the end: the same hash with the carry moved at every byte. */
export function createPlainFindCuts({ minBytes, averageBytes, maxBytes }: CutParameters): FindCuts {
  const bits = Math.round(Math.log2(averageBytes))
  return (bytes, from, to, _last, ends) => {
    let count = 0
    for (let start = from; start < to; start = ends[count++]!) {
      const end = Math.min(start + maxBytes, to)
      const centre = Math.min(start + averageBytes, end)
      ends[count] = plainCut(bytes, start + minBytes, centre, end, MASKS[bits + 1]!, MASKS[bits - 1]!)
    }
    return count
  }
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
