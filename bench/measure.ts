import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A program and its arguments. */
export type Command = readonly string[]

export interface Cost {
  readonly wallSeconds: number
  /** User and system time of the process and its children; `undefined` without GNU time. */
  readonly cpuSeconds?: number
  /** The largest resident set of any process; `undefined` without GNU time. */
  readonly peakBytes?: number
}

/**
 * What the measured see of this process's environment: all but certificates that Node.js would read at every start, whatever it
 * runs, in more time than it takes for all the rest of it.
 */
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env
export const ENVIRONMENT: Readonly<NodeJS.ProcessEnv> = environment

/** A step that did not do its work, with the tool's last words. */
export class StepFailed extends Error {}

export interface Surroundings {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** The cost of all of them, one after the other. Rejects with StepFailed as soon as one exits with another code than 0. */
export async function measure(commands: readonly Command[], surroundings: Surroundings): Promise<Cost> {
  const costs: Cost[] = []
  for (const command of commands) costs.push(await measureOne(command, surroundings))
  const wallSeconds = costs.reduce((sum, cost) => sum + cost.wallSeconds, 0)
  if (!HAS_TIME) return { wallSeconds }
  return {
    wallSeconds,
    cpuSeconds: costs.reduce((sum, cost) => sum + cost.cpuSeconds!, 0),
    peakBytes: Math.max(...costs.map((cost) => cost.peakBytes!)),
  }
}

const GNU_TIME = '/usr/bin/time'
const HAS_TIME = process.platform === 'linux' && existsSync(GNU_TIME)

async function measureOne(command: Command, { cwd, env }: Surroundings): Promise<Cost> {
  const scratch = await mkdtemp(join(tmpdir(), 'chainkeep-measure-'))
  try {
    const usage = join(scratch, 'usage')
    const [program, ...args] = HAS_TIME ? [GNU_TIME, '-q', '-f', '%U %S %M', '-o', usage, ...command] : command
    await using output = await open(join(scratch, 'output'), 'w+')
    const started = performance.now()
    const child = spawn(program!, args, {
      cwd,
      env: { ...ENVIRONMENT, ...env },
      stdio: ['ignore', output.fd, output.fd],
    })
    const code = await new Promise<number | string | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (exitCode, signal) => resolve(exitCode ?? signal))
    })
    const wallSeconds = (performance.now() - started) / 1000
    if (code !== 0) throw new StepFailed(`${code}: ${lastWords(await readFile(join(scratch, 'output'), 'utf8'))}`)
    if (!HAS_TIME) return { wallSeconds }
    const [user, system, peakKiB] = (await readFile(usage, 'utf8')).trim().split(' ').map(Number)
    return { wallSeconds, cpuSeconds: user! + system!, peakBytes: peakKiB! * 1024 }
  } finally {
    await rm(scratch, { recursive: true })
  }
}

/** What the command prints. Throws StepFailed as `measure`. */
export function outputOf([program, ...args]: Command, { cwd, env }: Surroundings): string {
  const { status, stdout, stderr } = spawnSync(program!, args, {
    cwd,
    env: { ...ENVIRONMENT, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  if (status !== 0) throw new StepFailed(`${status}: ${lastWords(stderr)}`)
  return stdout
}

/** The last lines, on one. */
const lastWords = (output: string): string => output.trim().split('\n').slice(-3).join(' / ').slice(-300)

/** Length of all files below `dir`, 0 if it is not there. */
export async function sizeOf(dir: string): Promise<number> {
  if (!existsSync(dir)) return 0
  let total = 0
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) total += (await stat(join(entry.parentPath, entry.name))).size
  }
  return total
}
