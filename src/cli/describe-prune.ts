import type { PruneResult } from '../maintain/prune.ts'
import type { Output } from './output.ts'
import { formatCount, formatSize } from './sizes.ts'
import { renderPairs } from './table.ts'

/** What a prune has done, or in a dry run would do. */
export function tellPruned(output: Output, result: PruneResult): void {
  const { plan, dryRun } = result
  const { totals } = plan
  const rewritten = plan.rewrite.reduce((sum, { packs }) => sum + packs.length, 0)
  output.json({
    message_type: 'summary',
    dry_run: dryRun || undefined,
    packs: totals.packs,
    packs_removed: dryRun ? plan.remove.length : result.packsRemoved,
    packs_rewritten: dryRun ? rewritten : result.packsRewritten,
    packs_written: dryRun ? plan.rewrite.length : result.packsWritten,
    objects_freed: dryRun ? totals.freedObjects : result.objectsFreed,
    bytes_freed: dryRun ? totals.freedBytes : result.bytesFreed,
    bytes_used: totals.usedBytes,
    bytes_unused_left: totals.unusedBytesLeft,
    packs_spared: totals.sparedPacks || undefined,
    bytes_spared: totals.sparedBytes || undefined,
    bytes_left: totals.bytesLeft,
    leftovers_removed: result.leftoversRemoved,
  })
  const count = (packs: number): string => `${formatCount(packs)} ${packs === 1 ? 'pack' : 'packs'}`
  const pairs: [string, string][] = [
    ['Used', `${formatSize(totals.usedBytes)} of ${formatSize(totals.bytes)} in ${count(totals.packs)}`],
    [dryRun ? 'To remove' : 'Removed', `${count(plan.remove.length)} that nothing needs`],
    [
      dryRun ? 'To rewrite' : 'Rewritten',
      `${count(rewritten)} as ${formatCount(plan.rewrite.length)}, ${formatSize(totals.rewrittenBytes)} copied`,
    ],
    [dryRun ? 'Would free' : 'Freed', formatSize(dryRun ? totals.freedBytes : result.bytesFreed)],
    [
      'Left',
      `${formatSize(totals.bytesLeft)} in ${count(totals.packsLeft)}, ${formatSize(totals.unusedBytesLeft)} of it unused`,
    ],
  ]
  if (totals.sparedPacks > 0)
    pairs.push(['Spared', `${formatSize(totals.sparedBytes)} unused in ${count(totals.sparedPacks)} too young to go`])
  for (const line of renderPairs(pairs)) output.info(line)
}
