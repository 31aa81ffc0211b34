import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { TOOLS } from '../compare/tools.ts'
import { type Measured, Workplace } from '../compare/workplace.ts'
import { sizeOf } from '../measure.ts'
import { makeNodeData, makeSmallFiles } from '../node/make.ts'
import type { CurveGroup, Dimension } from './curves.ts'

export interface BackupsOptions {
  /** Where sources and repositories come and go. */
  readonly dir: string
  readonly seed: number
  /** How often each source is backed up into a new repository. */
  readonly rounds: number
  readonly report: (line: string) => void
}

const CHAINKEEP = TOOLS.find(({ id }) => id === 'chainkeep')!
/** Both backups of a source, and how large that was. */
interface Point {
  readonly x: number
  readonly first: Measured
  readonly unchanged: Measured
}

/** Backups of node data of about so many bytes each. */
export async function scaleSize(sizes: readonly number[], options: BackupsOptions): Promise<Dimension> {
  const points: Point[] = []
  for (const bytes of sizes)
    points.push(
      ...(await backUp(
        (source) => makeNodeData(source, { seed: options.seed, bytes }),
        async (source) => (await sizeOf(source)) / 1e9,
        options,
      )),
    )
  return {
    title: 'Size of the source',
    axis: 'GB of node data',
    unit: 'GB',
    groups: groupsOf('size', 'the size of the source', points),
  }
}

/** Backups of so many small files. */
export async function scaleFiles(counts: readonly number[], options: BackupsOptions): Promise<Dimension> {
  const points: Point[] = []
  for (const count of counts)
    points.push(
      ...(await backUp(
        (source) => makeSmallFiles(source, options.seed, count),
        async () => count / 1000,
        options,
      )),
    )
  return {
    title: 'Number of files',
    axis: 'thousands of files of 1 to 8 KiB',
    unit: '1000 files',
    groups: groupsOf('files', 'the number of files', points),
  }
}

/** Makes a source, backs it up `rounds` times, and removes everything. */
async function backUp(
  make: (source: string) => Promise<unknown>,
  measureX: (source: string) => Promise<number>,
  { dir, rounds, report }: BackupsOptions,
): Promise<Point[]> {
  const source = join(dir, 'source')
  const place = join(dir, 'workplace')
  try {
    await make(source)
    const x = await measureX(source)
    const points: Point[] = []
    for (let round = 0; round < rounds; round++) {
      const workplace = await Workplace.create(place, CHAINKEEP, source)
      const first = await workplace.measure('first')
      const unchanged = await workplace.measure('again')
      points.push({ x, first, unchanged })
      report(
        `${x.toFixed(3)}: first ${first.wallSeconds.toFixed(2)} s, unchanged ${unchanged.wallSeconds.toFixed(2)} s`,
      )
      await rm(place, { recursive: true, force: true })
    }
    return points
  } finally {
    for (const path of [source, place]) await rm(path, { recursive: true, force: true })
  }
}

function groupsOf(id: string, what: string, points: readonly Point[]): CurveGroup[] {
  const curve = (name: string, figure: (point: Point) => number | undefined) => ({
    name,
    points: points.flatMap((point): [number, number][] => {
      const y = figure(point)
      return y === undefined ? [] : [[point.x, y]]
    }),
  })
  return [
    {
      id: `${id}-first`,
      title: `First backup against ${what}`,
      unit: 's',
      curves: [
        curve('first backup, wall time', ({ first }) => first.wallSeconds),
        curve('first backup, CPU time', ({ first }) => first.cpuSeconds),
      ],
    },
    {
      id: `${id}-unchanged`,
      title: `Unchanged backup against ${what}`,
      unit: 's',
      curves: [
        curve('unchanged backup, wall time', ({ unchanged }) => unchanged.wallSeconds),
        curve('unchanged backup, CPU time', ({ unchanged }) => unchanged.cpuSeconds),
      ],
    },
    {
      id: `${id}-memory`,
      title: `Peak memory against ${what}`,
      unit: 'MB',
      curves: [
        curve('first backup, peak memory', ({ first }) => first.peakBytes && first.peakBytes / 1e6),
        curve('unchanged backup, peak memory', ({ unchanged }) => unchanged.peakBytes && unchanged.peakBytes / 1e6),
      ],
    },
  ]
}
