/**
 * Measures chainkeep beside cp, restic and borg (where installed) on the same node data, in turn, in one run:
 * npm run bench:compare -- [--size 2G] [--rounds 3] [--seed 1] [--small-files 20000] [--only chainkeep,cp]
 *                          [--dir DIR] [--output FILE]
 *
 * Works below DIR (the system's temporary directory by default), which needs room for about ten times the size.
 * Prints the tables and writes them to FILE, bench/RESULTS.md by default. Runs in the root of the repository.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { renderConditions } from './compare/conditions.ts'
import { renderTables } from './compare/report.ts'
import { type Round, runRound } from './compare/run.ts'
import { SCENARIOS } from './compare/scenarios.ts'
import { TOOLS, type Tool, toolVersion } from './compare/tools.ts'
import { makeNodeData, makeSmallFiles } from './node/make.ts'
import { parseSize } from './options.ts'

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '2G' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    'small-files': { type: 'string', default: '20000' },
    only: { type: 'string' },
    dir: { type: 'string', default: tmpdir() },
    output: { type: 'string', default: 'bench/RESULTS.md' },
  },
})
const tools = chooseTools(values.only)
const seed = Number(values.seed)
const smallFiles = Number(values['small-files'])

const work = await mkdtemp(join(values.dir, 'chainkeep-compare-'))
try {
  const sources = { node: join(work, 'node'), smallFiles: join(work, 'small-files') }
  progress(`making ${values.size} of node data and ${smallFiles} small files in ${work}`)
  await makeNodeData(sources.node, { seed, bytes: parseSize(values.size) })
  await makeSmallFiles(sources.smallFiles, seed, smallFiles)
  const rounds: Round[] = []
  for (let i = 0; i < Number(values.rounds); i++) {
    const turned = tools.map((_, j) => tools[(i + j) % tools.length]!)
    const report = (line: string): void => progress(`round ${i + 1}: ${line}`)
    rounds.push(await runRound(join(work, 'round'), sources, turned, SCENARIOS, report))
  }
  const command = `npm run bench:compare -- ${process.argv.slice(2).join(' ')}`.replace(/ -- $/, '')
  const results = [
    '# chainkeep beside others',
    `${values.size} of node data and ${smallFiles} small files; ${values.rounds} rounds, in which the tools take turns: median (min to max).`,
    renderConditions(tools, command),
    renderTables(rounds, SCENARIOS, tools),
  ].join('\n\n')
  console.log(results)
  await writeFile(values.output, `${results}\n`)
} finally {
  await rm(work, { recursive: true, force: true })
}

function chooseTools(only: string | undefined): Tool[] {
  const wanted = only?.split(',').map((name) => (name === 'cp' ? 'cp -r' : name))
  const unknown = wanted?.find((name) => !TOOLS.some((tool) => tool.name === name))
  if (unknown !== undefined) throw new RangeError(`no such tool: ${unknown}`)
  return TOOLS.filter((tool) => (wanted?.includes(tool.name) ?? true) && toolVersion(tool) !== undefined)
}

function progress(line: string): void {
  console.error(line)
}
