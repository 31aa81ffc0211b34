import { type IndexFigures, measureIndex } from '../index/measure.ts'
import type { Dimension } from './curves.ts'

/** Of the ways to look up, those with many ids at once. */
const BATCH = ', 1024 at once'

/** Opening the index and looking up in it, with so many objects; each in a process of its own. */
export async function scaleIndex(
  counts: readonly number[],
  { dir, report }: { readonly dir: string; readonly report: (line: string) => void },
): Promise<Dimension> {
  const figures: (IndexFigures & { readonly x: number })[] = []
  for (const objects of counts) {
    const index = await measureIndex(dir, objects)
    figures.push({ x: objects / 1e6, ...index })
    report(`${objects} objects: open ${index.look.openSeconds.toFixed(2)} s`)
  }
  const lookUps = Object.keys(figures[0]!.look.perSecond).filter((what) => what.endsWith(BATCH))
  return {
    title: 'Chunks in the index',
    axis: 'millions of chunks',
    unit: 'million chunks',
    groups: [
      {
        id: 'index-open',
        title: 'Opening the index against its chunks',
        unit: 's',
        curves: [{ name: 'open', points: figures.map(({ x, look }) => [x, look.openSeconds] as const) }],
      },
      {
        id: 'index-look-up',
        title: 'Putting and looking up one chunk against the chunks in the index',
        unit: 'µs',
        curves: [
          { name: 'put', points: figures.map(({ x, put }) => [x, 1e6 / put.perSecond] as const) },
          ...lookUps.map((what) => ({
            name: `look up, ${what.replace(BATCH, '')}`,
            points: figures.map(({ x, look }) => [x, 1e6 / look.perSecond[what]!] as const),
          })),
        ],
      },
      {
        id: 'index-memory',
        title: 'Peak memory of a process with the index against its chunks',
        unit: 'MB',
        curves: [
          { name: 'putting, peak memory', points: figures.map(({ x, put }) => [x, put.peakBytes / 1e6] as const) },
          { name: 'looking up, peak memory', points: figures.map(({ x, look }) => [x, look.peakBytes / 1e6] as const) },
        ],
      },
    ],
  }
}
