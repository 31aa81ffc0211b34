import { formatTime } from '../base/local-time.ts'
import type { PendingPacks, PruneResult } from '../maintain/prune.ts'
import { describeSession } from '../repository/lock.ts'
import type { Output } from './output.ts'
import { formatCount, formatSize } from './sizes.ts'
import { renderPairs } from './table.ts'

/** What a prune has done, or in a dry run would do. */
export function tellPruned(output: Output, result: PruneResult): void {
  const { plan, dryRun, pending } = result
  const { totals } = plan
  const condemned = { packs: sum(pending, ({ packs }) => packs), bytes: sum(pending, ({ bytes }) => bytes) }
  const packsLeft = totals.packs + result.packsWritten - result.packsRemoved - result.originalsRemoved
  const bytesLeft = totals.bytes - result.bytesFreed
  output.json({
    message_type: 'summary',
    dry_run: dryRun || undefined,
    packs: totals.packs,
    packs_removed: result.packsRemoved,
    packs_rewritten: result.packsRewritten,
    packs_written: result.packsWritten,
    objects_freed: result.objectsFreed,
    bytes_freed: result.bytesFreed,
    bytes_used: totals.usedBytes,
    bytes_unused_left: totals.unusedBytesLeft,
    packs_condemned: condemned.packs,
    bytes_condemned: condemned.bytes,
    condemned: pending.map(pendingToJson),
    packs_spared: totals.sparedPacks || undefined,
    bytes_spared: totals.sparedBytes || undefined,
    bytes_left: bytesLeft,
    leftovers_removed: result.leftoversRemoved,
  })
  const count = (packs: number): string => `${formatCount(packs)} ${packs === 1 ? 'pack' : 'packs'}`
  const pairs: [string, string][] = [
    ['Used', `${formatSize(totals.usedBytes)} of ${formatSize(totals.bytes)} in ${count(totals.packs)}`],
    [dryRun ? 'To remove' : 'Removed', `${count(result.packsRemoved)} that nothing needs`],
    [
      dryRun ? 'To rewrite' : 'Rewritten',
      `${count(result.packsRewritten)} as ${formatCount(result.packsWritten)}, ${formatSize(totals.rewrittenBytes)} copied`,
    ],
    [dryRun ? 'Would free' : 'Freed', describeFreed(result.bytesFreed)],
  ]
  if (condemned.packs > 0)
    pairs.push([
      dryRun ? 'To condemn' : 'Condemned',
      `${formatSize(condemned.bytes)} in ${count(condemned.packs)}: ${whenFreed(pending)}`,
    ])
  const unused = `${formatSize(totals.unusedBytesLeft)} of it unused`
  pairs.push(['Left', `${formatSize(bytesLeft)} in ${count(packsLeft)}, ${unused}`])
  if (totals.sparedPacks > 0)
    pairs.push([
      'Spared',
      `${formatSize(totals.sparedBytes)} unused in ${count(totals.sparedPacks)} of backups that are at work or were interrupted`,
    ])
  for (const line of renderPairs(pairs)) output.info(line)
}

function describeFreed(bytes: number): string {
  return bytes < 0 ? `nothing yet; copies take ${formatSize(-bytes)} until what is condemned goes` : formatSize(bytes)
}

/** When all of it may go. */
function whenFreed(pending: readonly PendingPacks[]): string {
  const dueMs = Math.max(...pending.map((each) => each.dueMs))
  const holders = new Map(
    pending.flatMap(({ waitsFor }) => waitsFor.map((session) => [session.name, session] as const)),
  )
  const [first, ...others] = holders.values()
  const from = `a prune frees it after ${formatTime(dueMs)}`
  const alone = 'one without --grace at once, if nobody else is at work'
  if (!first) return `${from}; ${alone}`
  const more = others.length > 0 ? ` and ${formatCount(others.length)} more` : ''
  return `${from}, and when nobody relies on it any more: ${describeSession(first)}${more}; ${alone}`
}

function pendingToJson({ packs, bytes, dueMs, waitsFor }: PendingPacks): Record<string, unknown> {
  return {
    packs,
    bytes,
    due_time: new Date(dueMs).toISOString(),
    waits_for: waitsFor.map(({ host, pid, mode, sinceMs }) => ({
      host,
      pid,
      mode,
      since: new Date(sinceMs).toISOString(),
    })),
  }
}

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0)
