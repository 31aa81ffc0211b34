import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Growth } from '../node/block-files.ts'
import { advanceHour } from '../node/make.ts'
import type { Tool } from './tools.ts'
import { describeSample, failureOf, type Sample, Workplace } from './workplace.ts'

/** Hourly backups of a node, each by all tools before the next. */
export interface Series {
  /** What was truly new in each hour. */
  readonly hours: readonly Growth[]
  /** By the id of the tool: the first backup, then one for each hour. */
  readonly backups: Readonly<Record<string, readonly Sample[]>>
}

/** `dir` is created, holds the repositories, and is removed. The source ends that many hours older. */
export async function runSeries(
  dir: string,
  source: string,
  tools: readonly Tool[],
  hours: number,
  report: (line: string) => void,
): Promise<Series> {
  const growths: Growth[] = []
  const backups: Record<string, Sample[]> = {}
  const workplaces: Workplace[] = []
  try {
    for (const tool of tools.filter(({ verbs }) => verbs.again)) {
      const workplace = await Workplace.create(join(dir, tool.id), tool, source)
      workplaces.push(workplace)
      backups[tool.id] = [await workplace.measure('first').catch(failureOf)]
    }
    for (let hour = 1; hour <= hours; hour++) {
      growths.push(await advanceHour(source))
      for (const [i] of workplaces.entries()) {
        const workplace = workplaces[(i + hour) % workplaces.length]! // they take turns in being first
        const sample = await workplace.measure('again').catch(failureOf)
        backups[workplace.tool.id]!.push(sample)
        report(`hour ${hour}, ${workplace.tool.name}: ${describeSample(sample)}`)
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
  return { hours: growths, backups }
}
