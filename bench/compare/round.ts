import { spawnSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { StepFailed } from '../measure.ts'
import type { Growth } from '../node/block-files.ts'
import { advanceHour } from '../node/make.ts'
import { damage } from './damage.ts'
import type { Scenario } from './scenarios.ts'
import type { Tool } from './tools.ts'
import { describeSample, failureOf, type Measured, type Sample, Workplace } from './workplace.ts'

export interface Sources {
  readonly node: string
  readonly smallFiles: string
}

export interface Round {
  /** By the ids of scenario and tool. None where the tool has no such verb. */
  readonly samples: Readonly<Record<string, Readonly<Record<string, readonly Sample[]>>>>
  /** What was truly new in the hour that passed before a scenario, by its id. */
  readonly hours: Readonly<Record<string, Growth>>
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
  const samples: Record<string, Record<string, Sample[]>> = {}
  const hours: Record<string, Growth> = {}
  const workplaces = new Map<string, Workplace>()
  try {
    for (const scenario of scenarios) {
      const { id, name, verb, data = 'node', times = 1 } = scenario
      const source = data === 'node' ? sources.node : sources.smallFiles
      const able = tools.filter(({ verbs }) => verbs[verb])
      const placeOf = (tool: Tool): string => join(dir, `${tool.id} ${data}`)
      if (scenario.hourLater) hours[id] = await advanceHour(source)
      if (scenario.savedHours) {
        const places = able.flatMap((tool) => workplaces.get(placeOf(tool)) ?? [])
        await saveHours(source, places, scenario.savedHours)
      }
      const ofTools: Record<string, Sample[]> = Object.fromEntries(able.map((tool) => [tool.id, []]))
      samples[id] = ofTools
      for (let time = 0; time < times; time++) {
        for (const tool of able) {
          const place = placeOf(tool)
          if (verb === 'first') workplaces.set(place, await Workplace.create(place, tool, source))
          const sample = await measureScenario(scenario, workplaces.get(place)).catch(failureOf)
          ofTools[tool.id]!.push(sample)
          report(`${name}, ${tool.name}: ${describeSample(sample)}`)
        }
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
  return { samples, hours }
}

/** Lets hours pass, and all tools make a backup after each, until there are enough and the snapshots are even in number. */
async function saveHours(source: string, places: readonly Workplace[], atLeast: number): Promise<void> {
  const isOdd = (): boolean => places.some(({ backups }) => backups % 2 === 1)
  for (let hour = 0; hour < atLeast || (hour === atLeast && isOdd()); hour++) {
    await advanceHour(source)
    for (const place of places) await place.run('again').catch(failureOf) // what comes next will show it
  }
}

async function measureScenario({ verb, target }: Scenario, workplace: Workplace | undefined): Promise<Measured> {
  if (!workplace) throw new StepFailed('there is no repository')
  if (target === 'empty') await workplace.emptyTarget()
  if (target === 'damaged') await damage(workplace.restored)
  const snapshots = verb === 'prune' ? workplace.countSnapshots() : 0
  const cost = await workplace.measure(verb)
  if (verb === 'restore') requireEqual(workplace.source, workplace.restored)
  if (verb === 'prune') requireHalf(snapshots, workplace.countSnapshots())
  if (target === 'damaged') await workplace.emptyTarget()
  return cost
}

/** A restore that does not give back what was saved is a failure, however fast. */
function requireEqual(source: string, restored: string): void {
  const { status, stdout } = spawnSync('diff', ['-rq', source, restored], { encoding: 'utf8' })
  if (status !== 0) throw new StepFailed(`the restored directory is not what was saved: ${stdout.split('\n')[0]}`)
}

function requireHalf(before: number, after: number): void {
  if (before === 0 || after * 2 !== before) throw new StepFailed(`of ${before} snapshots ${after} are left, not half`)
}
