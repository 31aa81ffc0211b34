import { displayBytes } from '../base/bytes.ts'
import { shortId } from '../base/ids.ts'
import type { RepairIndexResult } from '../maintain/repair-index.ts'
import type { RepairedPack } from '../maintain/repair-packs.ts'
import type { RepairSnapshotsResult } from '../maintain/repair-snapshots.ts'
import { describeLosses, lossesToJson } from './describe-check.ts'
import { countOf } from './describe-snapshot.ts'
import { EXIT } from './exit-codes.ts'
import type { Output } from './output.ts'
import { formatCount } from './sizes.ts'

/** Each of these tells what was done and returns the exit code: that of failure where damage is left that nothing can be done about. */
export function tellRepairedIndex(output: Output, { packs, objects, unreadable }: RepairIndexResult): number {
  output.json({ message_type: 'summary', packs, objects, unreadable_packs: unreadable })
  output.info(`the index is built again: ${countOf(packs, 'pack')} with ${formatCount(objects)} objects`)
  if (unreadable.length === 0) return EXIT.done
  output.print(`${countOf(unreadable.length, 'pack')} cannot be read: "chainkeep repair packs" saves what is sound`)
  return EXIT.failed
}

export function tellRepairedPacks(output: Output, repaired: readonly RepairedPack[], dryRun: boolean): number {
  for (const { packClass, id, salvaged, lost, healed, parityOnly } of repaired) {
    const parity = { blocks_healed: healed, parity_only: parityOnly }
    output.json({ message_type: 'pack', id, pack_class: packClass, salvaged, lost, ...parity })
    if (healed !== undefined || parityOnly) {
      const what = healed === undefined ? 'its parity is damaged, and' : `${countOf(healed, 'block')} of it`
      const done = healed === undefined ? 'written again' : 'healed'
      output.print(`${packClass}/${shortId(id)}: ${what} ${dryRun ? `can be ${done}` : done}`)
      continue
    }
    const losses = lost === undefined ? 'an unknown number' : formatCount(lost)
    output.print(
      `${packClass}/${shortId(id)}: ${formatCount(salvaged)} ${dryRun ? 'can be saved' : 'saved'}, ${losses} lost`,
    )
  }
  output.json({ message_type: 'summary', dry_run: dryRun || undefined, packs_repaired: repaired.length })
  if (repaired.length === 0) output.info('no pack is damaged')
  else output.info(`${countOf(repaired.length, 'pack')} ${dryRun ? 'would be repaired' : 'repaired'}`)
  if (!dryRun && repaired.some(({ lost, healed, parityOnly }) => lost !== 0 && healed === undefined && !parityOnly))
    output.info(
      'the next backup stores again what the source still has; then "chainkeep repair snapshots" leaves out what stays lost',
    )
  return EXIT.done
}

export function tellRepairedSnapshots(output: Output, result: RepairSnapshotsResult, dryRun: boolean): number {
  for (const { id, message } of result.unreadable) output.problem(`snapshot ${shortId(id)}: ${message}`, { id })
  for (const { original, id, losses } of result.repaired) {
    output.json({
      message_type: 'changed',
      old_snapshot_id: original.id,
      new_snapshot_id: id,
      losses: lossesToJson(losses),
    })
    const becomes = id ? ` is now ${shortId(id)}` : dryRun ? ' would be repaired' : ' has nothing left'
    output.print(`snapshot ${shortId(original.id)}${becomes}: ${describeLosses(losses)}`)
    for (const { path, reason } of losses.listed) output.info(`  ${displayBytes(path)}: ${reason}`)
  }
  const { snapshots, repaired, unreadable } = result
  output.json({
    message_type: 'summary',
    dry_run: dryRun || undefined,
    snapshots,
    changed_snapshots: repaired.length,
    unreadable_snapshots: unreadable.map(({ id }) => id),
  })
  output.info(
    `${countOf(repaired.length, 'snapshot')} of ${formatCount(snapshots)} ${repaired.length === 1 ? 'lacks' : 'lack'} something`,
  )
  return unreadable.length > 0 ? EXIT.failed : EXIT.done
}
