import { randomBytes } from 'node:crypto'
import { crc32 as crc32OfZlib } from 'node:zlib'
import type { Crc32 } from '../../src/native/crc32.ts'
import type { Addon } from '../../src/native/kernel.ts'
import { type RaceOptions, race } from './race.ts'
import { type MicroRow, type MicroTable, megabytesASecond } from './table.ts'

const BYTES = 4 << 20

/** CRC-32 of one part of some MiB after another, by the kernel and by zlib. */
export async function raceChecksum(addon: Addon | undefined, options: RaceOptions): Promise<MicroTable> {
  const bytes = new Uint8Array(randomBytes(BYTES))
  const implementations: Record<string, Crc32> = {
    ...(addon?.crc32 && { kernel: addon.crc32 }),
    zlib: (part) => crc32OfZlib(part),
  }
  const rows: MicroRow[] = []
  for (const length of [256, 4096, 65_536]) {
    const rates = await race(
      implementations,
      (compute) => {
        for (let at = 0; at < BYTES; at += length) compute(bytes.subarray(at, at + length))
        return BYTES
      },
      options,
    )
    rows.push({ name: `parts of ${length} bytes`, cells: megabytesASecond(rates) })
  }
  return { title: 'CRC-32', note: `MB/s, on one core, of ${BYTES >> 20} MiB.`, rows }
}
