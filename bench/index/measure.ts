import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtScript } from '../built.ts'
import { sizeOf } from '../measure.ts'

export const OBJECTS_PER_PACK = 10_000

export interface PutFigures {
  readonly perSecond: number
  /** The most that was resident in memory, mapped tables included. */
  readonly peakBytes: number
}

export interface LookFigures {
  readonly openSeconds: number
  /** Ids looked up a second, by what was looked for. */
  readonly perSecond: Readonly<Record<string, number>>
  readonly peakBytes: number
}

export interface IndexFigures {
  readonly put: PutFigures
  readonly look: LookFigures
  /** On the disk. */
  readonly bytes: number
}

/**
 * Puts that many objects, a multiple of OBJECTS_PER_PACK, into a new index below `dir`, and looks some of them up, each
 * way for `leastMs`. Nothing stays.
 */
export async function measureIndex(dir: string, objects: number, leastMs = 2000): Promise<IndexFigures> {
  const scratch = await mkdtemp(join(dir, 'chainkeep-index-'))
  const directory = join(scratch, 'index')
  const run = (phase: 'put' | 'look'): unknown => {
    const args = [CHILD, phase, directory, `${objects / OBJECTS_PER_PACK}`, `${leastMs}`]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${phase} failed: ${stderr}`)
    return JSON.parse(stdout)
  }
  try {
    const put = run('put') as PutFigures
    const bytes = await sizeOf(directory)
    return { put, look: run('look') as LookFigures, bytes }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

const CHILD = fileURLToPath(builtScript('index/child.js'))
