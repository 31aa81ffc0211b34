import { createCompressor, type Effort } from '../../src/native/compress.ts'
import { type RaceOptions, race } from './race.ts'
import { samples } from './samples.ts'
import { type MicroRow, type MicroTable, wholeNumber } from './table.ts'

const CHUNK_BYTES = 65_536
const EFFORTS: readonly Effort[] = [-5, -3, 1, 3, 6, 'auto']

/** The levels of zstd, and what chooses among them. */
export async function raceCompress(options: RaceOptions): Promise<MicroTable> {
  const rows: MicroRow[] = []
  for (const [name, bytes] of Object.entries(samples())) {
    const efforts = Object.fromEntries(
      EFFORTS.map((effort) => [`level ${effort}`.replace('level auto', 'auto'), effort]),
    )
    const ratios = new Map<Effort, number>()
    const compress = (effort: Effort): number => {
      ratios.set(effort, compressedBytes(bytes, effort) / bytes.length)
      return bytes.length
    }
    const rates = await race(efforts, compress, options)
    const cells = Object.entries(efforts).map(([title, effort]) => [
      title,
      `${wholeNumber(rates[title]! / 1e6)} (${ratios.get(effort)!.toFixed(3)})`,
    ])
    rows.push({ name, cells: Object.fromEntries(cells) })
  }
  const note = `MB/s on one core and, in brackets, the ratio of what is stored, of chunks of ${CHUNK_BYTES} bytes of a file.`
  return { title: 'Compression', note, rows }
}

/** As of one file, from its beginning on. */
function compressedBytes(bytes: Uint8Array, effort: Effort): number {
  const compressor = createCompressor(effort)
  const target = new Uint8Array(CHUNK_BYTES)
  let stored = 0
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    const chunk = bytes.subarray(at, at + CHUNK_BYTES)
    stored += compressor.compressInto(chunk, target, 0, at)?.length ?? chunk.length
  }
  return stored
}
