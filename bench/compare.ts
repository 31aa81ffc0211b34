/** Measures chainkeep beside cp, restic and borg: npm run bench:compare -- --help. Runs in the root of the repository. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { formatSize } from '../src/cli/sizes.ts'
import { type CompareOptions, FIGURES_FILE, parseCompareOptions } from './compare/options.ts'
import { renderPlots } from './compare/plots.ts'
import { renderReport } from './compare/report.ts'
import type { Results } from './compare/results.ts'
import { type Round, runRound } from './compare/round.ts'
import { runSeries, type Series } from './compare/series.ts'
import { runStartUp } from './compare/start-up.ts'
import { type Tool, toolVersion } from './compare/tools.ts'
import { makeNodeData, makeSmallFiles } from './node/make.ts'
import { commandLine } from './options.ts'
import { describeMachine } from './report/machine.ts'
import { withScratch } from './scratch.ts'

const START_TIMES = 20

const options = parseCompareOptions(process.argv.slice(2))
const results = options.from === undefined ? await measureAll(options) : await loadResults(options.from)
if (options.from === undefined) await writeFile(FIGURES_FILE, JSON.stringify(results))
await writeReport(results, options.output)

async function measureAll(options: CompareOptions): Promise<Results> {
  const { seed, bytes, hours, smallFiles, scenarios } = options
  const versions = options.tools.flatMap((tool): [Tool, string][] => {
    const version = toolVersion(tool)
    return version === undefined ? [] : [[tool, version]]
  })
  const tools = versions.map(([tool]) => tool)
  return await withScratch(options.dir, async (work) => {
    const sources = { node: join(work, 'node'), smallFiles: join(work, 'small-files') }
    const renewNode = async (): Promise<void> => {
      progress(`making ${formatSize(bytes)} of node data in ${work}`)
      await rm(sources.node, { recursive: true, force: true })
      await makeNodeData(sources.node, { seed, bytes })
    }
    if (scenarios.some(({ data }) => data === 'small files')) await makeSmallFiles(sources.smallFiles, seed, smallFiles)
    const rounds: Round[] = []
    for (let i = 0; i < options.rounds && scenarios.length > 0; i++) {
      await renewNode()
      const turned = tools.map((_, j) => tools[(i + j) % tools.length]!)
      const report = (line: string): void => progress(`round ${i + 1}: ${line}`)
      rounds.push(await runRound(join(work, 'round'), sources, turned, scenarios, report))
    }
    let series: Series | undefined
    if (hours > 0) {
      await renewNode()
      series = await runSeries(join(work, 'series'), sources.node, tools, hours, progress)
    }
    return {
      command: commandLine('bench:compare'),
      machine: describeMachine(new Date()),
      bytes,
      smallFiles,
      versions: Object.fromEntries(versions.map(([{ id }, version]) => [id, version])),
      rounds,
      ...(series && { series }),
      ...(options.start && { startUp: runStartUp(tools, START_TIMES) }),
    }
  })
}

async function loadResults(path: string): Promise<Results> {
  return JSON.parse(await readFile(path, 'utf8')) as Results
}

async function writeReport(results: Results, output: string): Promise<void> {
  const plots = renderPlots(results)
  await mkdir(join(dirname(output), 'plots'), { recursive: true })
  for (const [name, svg] of Object.entries(plots)) await writeFile(join(dirname(output), 'plots', name), svg)
  const report = renderReport(
    results,
    Object.keys(plots).map((name) => `plots/${name}`),
  )
  console.log(report)
  await writeFile(output, `${report}\n`)
}

function progress(line: string): void {
  console.error(line)
}
