import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Command, type Cost, measure, sizeOf } from '../measure.ts'
import { makeNodeData } from '../node/make.ts'
import { type MicroRow, type MicroTable, wholeNumber } from './table.ts'

const PERCENT = 10
/** What is lost of a pack, in one run: so much parity heals it wherever it begins. */
const LOST_SHARE = 0.08
const PROGRAM = ['node', 'dist/cli/bin.js']

/** What parity costs a repository of node data: `bytes` of it, made below `dir`. The best of `rounds`, with and without by turns. */
export async function measureProtecting(dir: string, bytes: number, rounds: number): Promise<MicroTable> {
  const scratch = await mkdtemp(join(dir, 'chainkeep-parity-'))
  const [source, plain, withParity] = ['source', 'plain', 'parity'].map((name) => join(scratch, name))
  const run = (...commands: readonly (readonly string[])[]): Promise<Cost> => {
    const lines: Command[] = commands.map((each) => [...PROGRAM, ...each, '--quiet'])
    return measure(lines, { cwd: process.cwd(), env: { CHAINKEEP_CACHE_DIR: join(scratch, 'cache') } })
  }
  const best = new Map<string, Cost>()
  const note = (name: string, cost: Cost): void => {
    const before = best.get(name)
    if (!before || (cost.cpuSeconds ?? cost.wallSeconds) < (before.cpuSeconds ?? before.wallSeconds))
      best.set(name, cost)
  }
  try {
    await makeNodeData(source!, { seed: 1, bytes })
    for (let round = 0; round < rounds; round++) {
      for (const [repo, percent] of [[plain!, 0] as const, [withParity!, PERCENT] as const]) {
        await rm(repo, { recursive: true, force: true })
        await run(['init', '--repo', repo, '--parity', `${percent}`])
        note(
          percent === 0 ? 'first backup' : `first backup, parity ${PERCENT}`,
          await run(['backup', '--repo', repo, source!]),
        )
      }
      const pack = await largestPack(join(withParity!, 'data'))
      await damage(pack)
      note('repair packs, one to be healed', await run(['repair', 'packs', basename(pack), '--repo', withParity!]))
      note('repair packs, all sound', await run(['repair', 'packs', '--repo', withParity!]))
      note(`parity ${PERCENT} later`, await run(['parity', `${PERCENT}`, '--repo', plain!]))
    }
    const parityBytes = await sizeOf(join(withParity!, 'parity'))
    const share = ((100 * parityBytes) / ((await sizeOf(withParity!)) - parityBytes)).toFixed(1)
    return {
      title: 'Parity of a repository',
      note: `The program, on ${wholeNumber(bytes / 1e6)} MB of node data: the best of ${rounds}. Parity takes ${share} % more space.`,
      rows: Array.from(best, ([name, cost]) => rowOf(name, cost)),
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

function rowOf(name: string, { wallSeconds, cpuSeconds, peakBytes }: Cost): MicroRow {
  const cells: Record<string, string> = { seconds: wallSeconds.toFixed(2) }
  if (cpuSeconds !== undefined) cells['CPU seconds'] = cpuSeconds.toFixed(2)
  if (peakBytes !== undefined) cells['peak MB'] = wholeNumber(peakBytes / 1e6)
  return { name, cells }
}

async function largestPack(folder: string): Promise<string> {
  const entries = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const packs = await Promise.all(
    entries.map(async ({ parentPath, name }) => ({
      path: join(parentPath, name),
      size: (await stat(join(parentPath, name))).size,
    })),
  )
  return packs.reduce((a, b) => (b.size > a.size ? b : a)).path
}

async function damage(file: string): Promise<void> {
  await using handle = await open(file, 'r+')
  const { size } = await handle.stat()
  const lost = Math.floor(size * LOST_SHARE)
  await handle.write(new Uint8Array(lost), 0, lost, size >> 1)
}
