import { copyBytes } from '../../src/base/bytes.ts'
import { type RaceOptions, race } from './race.ts'
import { type MicroRow, type MicroTable, megabytesASecond } from './table.ts'

const BYTES = 1 << 20
const COPIERS = {
  copyBytes,
  set: (source: Uint8Array, target: Uint8Array, offset: number): void => target.set(source, offset),
}

/** Copying from memory that threads share and from other, to a place that lies as the source does to words, and to one that does not. */
export async function raceCopying(options: RaceOptions): Promise<MicroTable> {
  const target = new Uint8Array(2 * BYTES).fill(1)
  const rows: MicroRow[] = []
  for (const [kind, memory] of Object.entries({
    shared: new SharedArrayBuffer(BYTES),
    'not shared': new ArrayBuffer(BYTES),
  }))
    for (const [place, offset] of Object.entries({ alike: 0, unlike: 1 })) {
      const source = new Uint8Array(memory).fill(2)
      const copy = (copier: (typeof COPIERS)['set']): number => {
        copier(source, target, offset)
        return BYTES
      }
      rows.push({ name: `${kind}, ${place}`, cells: megabytesASecond(await race(COPIERS, copy, options)) })
    }
  return { title: 'Copying', note: `MB/s, on one core, of ${BYTES >> 20} MiB in the cache.`, rows }
}
