import type { ParityState, SetParityResult } from '../maintain/set-parity.ts'
import { countOf } from './describe-snapshot.ts'
import type { Output } from './output.ts'
import { formatCount, formatSize } from './sizes.ts'

export function tellParityState(output: Output, { percent, packs, protectedPacks, bytes }: ParityState): void {
  output.json({ message_type: 'parity', percent, packs, protected_packs: protectedPacks, bytes })
  output.print(percent === 0 ? 'no parity is wanted' : `${percent} % of parity is wanted`)
  output.print(`${formatCount(protectedPacks)} of ${countOf(packs, 'pack')} have it: ${formatSize(bytes)}`)
  if (percent > 0 && protectedPacks < packs) output.print(`"chainkeep parity ${percent}" writes it for the others`)
}

export function tellParitySet(output: Output, result: SetParityResult): void {
  const { percent, written, bytesWritten, removed, damaged } = result
  for (const { packClass, id, message } of damaged)
    output.problem(`${packClass}/${id} is damaged, and gets no parity: ${message}`, { pack: id })
  output.json({
    message_type: 'summary',
    percent,
    packs_protected: written,
    bytes_written: bytesWritten,
    files_removed: removed,
    damaged_packs: damaged.map(({ id }) => id),
  })
  if (percent === 0) output.info(`no parity any more: ${countOf(removed, 'file')} removed`)
  else
    output.info(
      `${percent} % of parity from now on; ${formatSize(bytesWritten)} written for ${countOf(written, 'pack')}`,
    )
  if (damaged.length > 0) output.print('"chainkeep help repair" tells what can be done')
}
