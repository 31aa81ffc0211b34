import { DEFAULT_REMOVE_LIMIT, type Excess, type RemoveLimit } from '../maintain/forget-limit.ts'
import type { ForgetGroup } from '../maintain/forget-policy.ts'
import { countOf, snapshotColumns, snapshotToJson } from './describe-snapshot.ts'
import { describeGroup, groupToJson, keysOf, ofGroup } from './group-option.ts'
import type { Output } from './output.ts'
import { renderTable } from './table.ts'

/** What is kept, and why, and what goes: for each group. Tables fit `columns`. */
export function tellForgetPlan(output: Output, groups: readonly ForgetGroup[], columns: number | undefined): void {
  output.json(groups.map(planToJson))
  for (const { key, keep, remove, notes } of groups) {
    const omit = keysOf(key)
    output.info(output.paint.bold(describeGroup(key)))
    output.info()
    for (const note of notes) output.notice(note)
    if (keep.length > 0) {
      output.info(`keep ${countOf(keep.length, 'snapshot')}:`)
      const extra = [{ title: 'Reasons', value: (kept: (typeof keep)[number]) => kept.reasons }]
      for (const line of renderTable(snapshotColumns({ omit, extra }), keep, columns)) output.info(line)
      output.info()
    }
    if (remove.length > 0) {
      output.info(`remove ${countOf(remove.length, 'snapshot')}:`)
      for (const line of renderTable(snapshotColumns({ omit }), remove, columns)) output.info(line)
      output.info()
    }
  }
}

export function tellForgotten(output: Output, count: number, dryRun: boolean): void {
  const snapshots = countOf(count, 'snapshot')
  output.info(dryRun ? `would remove ${snapshots}` : `${snapshots} removed`)
}

/** What would go that may not, and which flag lets it. */
export function describeExcess(
  { group, removed, of, isAll }: Excess,
  { share, count }: RemoveLimit = DEFAULT_REMOVE_LIMIT,
): string {
  const which = ofGroup(group.key)
  if (isAll)
    return `no rule keeps ${of === 1 ? 'the only snapshot' : `any of the ${of} snapshots`}${which}; if that is meant, give --unsafe-allow-remove-all`
  const limit = share === undefined ? `${count}` : `${+(share * 100).toFixed(2)}%`
  return `the rules would remove ${removed} of the ${of} snapshots${which}, which is more than ${limit}; if that is meant, give --max-remove ${removed}`
}

function planToJson({ key, keep, remove }: ForgetGroup): Record<string, unknown> {
  return {
    ...groupToJson(key),
    keep: keep.map(snapshotToJson),
    remove: remove.map(snapshotToJson),
    reasons: keep.map((kept) => ({ snapshot: snapshotToJson(kept), matches: kept.reasons })),
  }
}
