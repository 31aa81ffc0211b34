import { formatSize } from '../../src/cli/sizes.ts'
import { describeTools } from './conditions.ts'
import type { Results } from './results.ts'
import { renderFailures, renderFigures, renderGoals, renderHours, renderSeries, renderStartUp } from './tables.ts'

/** The whole report in Markdown. Plots are linked by their paths relative to it. */
export function renderReport(results: Results, plots: readonly string[]): string {
  const { command, machine, bytes, smallFiles, rounds } = results
  return [
    '# chainkeep beside others',
    `${formatSize(bytes)} of node data and ${smallFiles} small files; ${rounds.length} rounds with the same data, in which the tools take turns at each row: ` +
      'median (least–most). Before each measurement all files are read, so that they are in the page cache, everything is ' +
      'written to the disk, and before those that write much, free memory is used once; none of it is counted.',
    '## Goals',
    'What chainkeep is to reach, and what it reached in this run. Where it only says borg, the better of both counts.',
    renderGoals(results),
    'Where the time goes, and what stands in the way of the others: [docs/SPEED.md](../docs/SPEED.md).',
    ...plots.map((path) => `![${path.replace(/^.*\/|\.svg$/g, '')}](${path})`),
    '## Conditions',
    [...machine, `- \`${command}\``].join('\n'),
    describeTools(Object.entries(results.versions)),
    renderFigures(results),
    renderHours(results),
    renderStartUp(results),
    renderSeries(results),
    renderFailures(results),
  ]
    .filter(Boolean)
    .join('\n\n')
}
