import { displayBytes } from '../base/bytes.ts'
import { shortId } from '../base/ids.ts'
import type { CheckReport, DamagedSnapshot } from '../maintain/check.ts'
import type { Problem } from '../maintain/problem.ts'
import type { Losses } from '../maintain/salvage-tree.ts'
import { countOf } from './describe-snapshot.ts'
import { type Output, pathField } from './output.ts'
import { formatCount, formatSize } from './sizes.ts'
import { renderPairs } from './table.ts'
import { formatTime } from './times.ts'

/** What a check has found. */
export function tellCheck(output: Output, report: CheckReport): void {
  for (const { message } of report.notes) output.notice(message)
  for (const problem of report.problems) output.problem(problem.message, problemFields(problem))
  if (report.problemCount > report.problems.length)
    output.print(`… and ${formatCount(report.problemCount - report.problems.length)} more problems`)
  const pairs: [string, string][] = [
    ['Snapshots', formatCount(report.snapshots)],
    ['Packs', `${formatCount(report.packs)} with ${formatCount(report.objects)} objects`],
  ]
  if (report.packsRead > 0)
    pairs.push(['Read', `${formatSize(report.bytesRead)} in ${countOf(report.packsRead, 'pack')}`])
  for (const line of renderPairs(pairs)) output.info(line)
  for (const damaged of report.damagedSnapshots) tellDamaged(output, damaged)
  if (report.healthy) output.info(output.paint.green('no damage was found'))
  else
    output.print(
      output.paint.red(
        `${countOf(report.problemCount, 'problem')} found: "chainkeep help repair" tells what can be done`,
      ),
    )
  output.json(reportToJson(report))
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

/** Facts of a problem besides its sentence: paths as JSON has them. */
function problemFields({ message: _message, ...problem }: Problem): Record<string, unknown> {
  if (!('path' in problem)) return problem
  const { path, ...rest } = problem
  return { ...rest, ...pathField(path) }
}

function reportToJson(report: CheckReport): Record<string, unknown> {
  const broken = report.problems.flatMap((problem) =>
    problem.type === 'pack-length' || problem.type === 'pack-unreadable'
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
    suggest_prune: report.notes.some(({ type }) => type === 'unused'),
    snapshots: report.snapshots,
    packs: report.packs,
    objects: report.objects,
    packs_read: report.packsRead,
    bytes_read: report.bytesRead,
    damaged_snapshots: report.damagedSnapshots.map(({ id, losses }) => ({ id, losses: lossesToJson(losses) })),
  }
}
