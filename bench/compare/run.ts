import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Growth } from '../node/block-files.ts'
import { advanceHour, STATE_FILE } from '../node/make.ts'
import { damage } from './damage.ts'
import { type Cost, measure, StepFailed, sizeOf } from './measure.ts'
import type { Scenario } from './scenarios.ts'
import type { Place, Tool } from './tools.ts'

/** What one tool cost in one scenario of one round, or why it failed. */
export type Sample = (Cost & { readonly growthBytes: number }) | { readonly failure: string }

export interface Sources {
  readonly node: string
  readonly smallFiles: string
}

export interface Round {
  /** By the names of scenario and tool. Nothing where the tool has no such verb. */
  readonly samples: ReadonlyMap<string, ReadonlyMap<string, Sample>>
  /** Bytes truly new in each hour that passed, in the order of the scenarios. */
  readonly hours: readonly Growth[]
}

/**
 * Takes every tool through every scenario once, each scenario by all tools before the next, in the order given.
 * `dir` is created, holds their repositories, and is removed. The node's source ends some hours older.
 */
export async function runRound(
  dir: string,
  sources: Sources,
  tools: readonly Tool[],
  scenarios: readonly Scenario[],
  report: (line: string) => void,
): Promise<Round> {
  const samples = new Map(scenarios.map(({ name }) => [name, new Map<string, Sample>()]))
  const hours: Growth[] = []
  const backups = new Map<string, number>()
  try {
    for (const scenario of scenarios) {
      if (scenario.hour) hours.push(await advanceHour(sources.node))
      for (const tool of tools) {
        if (!tool.verbs[scenario.verb]) continue
        const sample = await runStep(dir, sources, tool, scenario, backups).catch(failureOf)
        samples.get(scenario.name)!.set(tool.name, sample)
        report(`${scenario.name}, ${tool.name}: ${describe(sample)}`)
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
  return { samples, hours }
}

async function runStep(
  dir: string,
  sources: Sources,
  tool: Tool,
  scenario: Scenario,
  backups: Map<string, number>,
): Promise<Sample> {
  const { verb, data = 'node', hour, target } = scenario
  const home = join(dir, `${tool.name} ${data}`)
  const repo = join(home, 'repository')
  const surroundings = { cwd: join(home, 'target'), env: tool.env(join(home, 'home')) }
  const place = (): Place => {
    const source = data === 'node' ? sources.node : sources.smallFiles
    return { repo, source, target: surroundings.cwd, backups: backups.get(home) ?? 0 }
  }
  const countBackup = (): void => {
    backups.set(home, place().backups + 1)
  }

  await mkdir(join(home, 'home'), { recursive: true })
  if (target === 'empty') await rm(surroundings.cwd, { recursive: true, force: true })
  await mkdir(surroundings.cwd, { recursive: true })
  if (verb === 'first') await measure(tool.init(repo), surroundings)
  if (hour === 'saved') {
    countBackup()
    await measure(tool.verbs.again!(place()), surroundings)
  }
  if (target === 'damaged') await damage(restoredIn(place()))
  if (verb === 'first' || verb === 'again') countBackup()

  const before = await sizeOf(repo)
  spawnSync('sync') // or this step would pay for what the last one left in memory
  const cost = await measure(tool.verbs[verb]!(place()), surroundings)
  const growthBytes = (await sizeOf(repo)) - before
  if (verb === 'restore') requireEqual(sources.node, restoredIn(place()))
  if (target === 'damaged') await rm(surroundings.cwd, { recursive: true })
  return { ...cost, growthBytes }
}

/** Tools differ in how much of the source's path they restore. */
function restoredIn({ target, source }: Place): string {
  const candidates = [target, join(target, basename(source)), join(target, source)]
  const found = candidates.find((candidate) => existsSync(join(candidate, STATE_FILE)))
  if (found === undefined) throw new StepFailed('nothing is restored there')
  return found
}

/** A restore that does not give back what was saved is a failure, however fast. */
function requireEqual(source: string, restored: string): void {
  const { status, stdout } = spawnSync('diff', ['-rq', source, restored], { encoding: 'utf8' })
  if (status !== 0) throw new StepFailed(`the restored directory is not what was saved: ${stdout.split('\n')[0]}`)
}

function failureOf(error: unknown): Sample {
  if (error instanceof StepFailed) return { failure: error.message }
  throw error
}

const describe = (sample: Sample): string =>
  'failure' in sample ? `failed (${sample.failure})` : `${sample.wallSeconds.toFixed(2)} s`
