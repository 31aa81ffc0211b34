import { displayBytes } from '../base/bytes.ts'
import { shortId } from '../base/ids.ts'
import { formatTime } from '../base/local-time.ts'
import type { CheckReport, DamagedSnapshot } from '../maintain/check.ts'
import type { Problem } from '../maintain/problem.ts'
import type { ReadData } from '../maintain/read-data.ts'
import type { Losses } from '../maintain/salvage-tree.ts'
import { countOf } from './describe-snapshot.ts'
import { type Output, pathField } from './output.ts'
import { formatCount, formatSize } from './sizes.ts'
import { snakeCaseFields } from './snake-case.ts'
import { renderPairs } from './table.ts'
import { formatDuration } from './times.ts'

/** Of each type that people see without --verbose: one lost pack can mean hundreds of lost chunks. */
const MAX_TOLD_PROBLEMS = 20

export interface CheckFacts {
  /** How much of the data was read. */
  readonly readData: ReadData | undefined
  readonly durationMs: number
}

/** What a check has found. */
export function tellCheck(output: Output, report: CheckReport, { readData, durationMs }: CheckFacts): void {
  for (const { message } of report.notes) output.notice(message)
  tellProblems(output, report)
  const pairs: [string, string][] = [
    ['Snapshots', formatCount(report.snapshots)],
    ['Packs', `${formatCount(report.packs)} with ${formatCount(report.objects)} objects`],
  ]
  if (readData) pairs.push(['Read', describeRead(report, readData)])
  pairs.push(['Time', formatDuration(durationMs)])
  for (const line of renderPairs(pairs)) output.info(line)
  for (const damaged of report.damagedSnapshots) tellDamaged(output, damaged)
  if (report.healthy) output.info(output.paint.green(`no damage was found${describeScope(readData)}`))
  else
    output.print(
      output.paint.red(
        `${countOf(report.problemCount, 'problem')} found: "chainkeep help repair" tells what can be done`,
      ),
    )
  output.json(reportToJson(report))
}

function tellProblems(output: Output, { problems, problemCount }: CheckReport): void {
  const told = new Map<Problem['type'], number>()
  let untold = problemCount
  for (const problem of problems) {
    const before = told.get(problem.type) ?? 0
    if (!output.isJson && output.verbosity < 1 && before >= MAX_TOLD_PROBLEMS) continue
    told.set(problem.type, before + 1)
    untold--
    output.problem(problem.message, problemFields(problem))
  }
  const all = problemCount === problems.length ? 'them all' : formatCount(problems.length)
  if (untold > 0) output.print(`… and ${formatCount(untold)} more${output.verbosity < 1 ? ` (-v lists ${all})` : ''}`)
}

function describeRead({ bytesRead, bytes, packsRead, packs }: CheckReport, readData: ReadData): string {
  return readData === 'all'
    ? `${formatSize(bytesRead)} in ${countOf(packsRead, 'pack')}`
    : `${formatSize(bytesRead)} of ${formatSize(bytes)} in ${formatCount(packsRead)} of ${countOf(packs, 'pack')}`
}

function describeScope(readData: ReadData | undefined): string {
  if (readData === 'all') return ''
  return readData ? ' in what was read' : ' (the data itself was not read: --read-data does)'
}

function tellDamaged(output: Output, { id, snapshot, losses }: DamagedSnapshot): void {
  output.print(`snapshot ${shortId(id)} of ${formatTime(snapshot.timeMs)}: ${describeLosses(losses)}`)
  for (const { path, reason } of losses.listed) output.info(`  ${displayBytes(path)}: ${reason}`)
}

export function describeLosses({ count, bytes }: Losses): string {
  return `${countOf(count, 'entry', 'entries')} damaged${bytes > 0 ? `, ${formatSize(bytes)}` : ''}`
}

export function lossesToJson({ count, files, bytes, listed }: Losses): Record<string, unknown> {
  return { count, files, bytes, items: listed.map(({ path, reason }) => ({ ...pathField(path), reason })) }
}

/** Facts of a problem besides its sentence. */
function problemFields({ message: _message, ...problem }: Problem): Record<string, unknown> {
  if (!('path' in problem)) return snakeCaseFields(problem)
  const { path, ...rest } = problem
  return { ...snakeCaseFields(rest), ...pathField(path) }
}

function reportToJson(report: CheckReport): Record<string, unknown> {
  const broken = report.problems.flatMap((problem) =>
    problem.type === 'pack-length' || problem.type === 'pack-unreadable' || problem.type === 'pack-missing'
      ? [problem.id]
      : problem.type === 'object-corrupt'
        ? [problem.pack]
        : [],
  )
  return {
    message_type: 'summary',
    num_errors: report.problemCount,
    broken_packs: [...new Set(broken)],
    suggest_repair_index: false, // a wrong index is put right by the check itself
    suggest_prune: report.notes.some(({ type }) => type === 'unused' || type === 'leftovers'),
    snapshots: report.snapshots,
    packs: report.packs,
    objects: report.objects,
    packs_read: report.packsRead,
    bytes_read: report.bytesRead,
    damaged_snapshots: report.damagedSnapshots.map(({ id, losses }) => ({ id, losses: lossesToJson(losses) })),
  }
}
