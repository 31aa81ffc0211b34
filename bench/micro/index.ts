import { measureIndex } from '../index/measure.ts'
import { formatMegabytes, threeDigits } from '../report/units.ts'
import { type MicroRow, type MicroTable, wholeNumber } from './table.ts'

/** Putting objects into the index, and looking them up in a fresh process. Below `dir`. */
export async function raceIndex(dir: string, objects: number, leastMs?: number): Promise<MicroTable> {
  const { put, look, bytes } = await measureIndex(dir, objects, leastMs)
  const one = (name: string, text: string): MicroRow => ({ name, cells: { '': text } })
  const rows = [
    one('put, a second', wholeNumber(put.perSecond)),
    ...Object.entries(look.perSecond).map(([what, rate]) =>
      one(`look up what is ${what}, a second`, wholeNumber(rate)),
    ),
    one('open, ms', threeDigits(look.openSeconds * 1000)),
    one('on the disk', formatMegabytes(bytes)),
    one('peak memory while putting', formatMegabytes(put.peakBytes)),
    one('peak memory while looking up', formatMegabytes(look.peakBytes)),
  ]
  return {
    title: 'Index',
    note: `${wholeNumber(objects)} objects in LevelDB, each phase in a process of its own.`,
    rows,
  }
}
