import { tmpdir } from 'node:os'
import { Command } from 'commander'
import { parseCount, parseNames, sizeOption } from '../options.ts'
import { chooseScenarios, SCENARIOS, type Scenario } from './scenarios.ts'
import { TOOLS, type Tool } from './tools.ts'

export interface CompareOptions {
  readonly bytes: number
  readonly rounds: number
  readonly hours: number
  readonly smallFiles: number
  readonly seed: number
  readonly scenarios: readonly Scenario[]
  /** Whether to measure how long programs take to start. */
  readonly start: boolean
  /** All that are wanted, installed or not. */
  readonly tools: readonly Tool[]
  readonly dir: string
  readonly output: string
  /** Figures of an earlier run, of which to write the report again. */
  readonly from?: string
}

/** Names for `--only` beside those of the tables' rows. */
const START = 'start'
const SERIES = 'series'

export const compareCommand = (): Command =>
  new Command('npm run bench:compare --')
    .description(
      'Measures chainkeep beside cp, restic and borg (where installed) on the same data, in turn, and writes a report with ' +
        'tables and plots. The whole takes about half an hour and room for twelve times the size.',
    )
    .addOption(sizeOption('--size <size>', 'how much node data', '2G'))
    .option('--rounds <number>', 'how often each row is measured', parseCount, 3)
    .option('--hours <number>', 'how many hourly backups the series has, 0 for none', parseCount, 24)
    .option('--small-files <number>', 'how many small files', parseCount, 20_000)
    .option('--seed <number>', 'what the data follow from', parseCount, 1)
    .option('--only <rows>', `some rows, and those they build on: ${ROWS.join(',')}`, parseNames(ROWS))
    .option('--tools <tools>', `some tools: ${TOOL_IDS.join(',')}`, parseNames(TOOL_IDS))
    .option('--dir <dir>', 'where there is room', tmpdir())
    .option('--output <file>', 'the report; plots go to plots/ beside it', 'bench/RESULTS.md')
    .option('--from <file>', `measure nothing: write the report of the figures kept in ${FIGURES_FILE}`)

/** Where every run leaves its figures. */
export const FIGURES_FILE = 'dist-bench/results.json'
const ROWS = [...SCENARIOS.map(({ id }) => id), START, SERIES]
const TOOL_IDS = TOOLS.map(({ id }) => id)

/** `argv` without the program. */
export function parseCompareOptions(argv: readonly string[], command: Command = compareCommand()): CompareOptions {
  const options = command.parse(argv, { from: 'user' }).opts()
  const only: readonly string[] = options.only ?? ROWS
  const tools: readonly string[] = options.tools ?? TOOL_IDS
  return {
    bytes: options.size,
    rounds: options.rounds,
    hours: only.includes(SERIES) ? options.hours : 0,
    smallFiles: options.smallFiles,
    seed: options.seed,
    scenarios: chooseScenarios(only),
    start: only.includes(START),
    tools: TOOLS.filter(({ id }) => tools.includes(id)),
    dir: options.dir,
    output: options.output,
    from: options.from,
  }
}
