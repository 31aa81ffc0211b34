import type { Option } from 'commander'
import { DEFAULT_PRUNE_POLICY, type PrunePolicy } from '../maintain/prune-plan.ts'
import { parsedOption } from './command.ts'
import { parsePercent, parseSize } from './sizes.ts'

export interface PruneValues {
  readonly maxUnused?: PrunePolicy['maxUnused']
}

export function maxUnusedOption(): Option {
  return parsedOption(
    '--max-unused <limit>',
    'how much may stay unused, so that less is written again: a percentage of what is left, a size, or unlimited (default: 5%)',
    parseMaxUnused,
    'It is as 5%, 100M, 0 or unlimited.',
  )
}

export const policyOf = ({ maxUnused }: PruneValues): PrunePolicy => ({
  ...DEFAULT_PRUNE_POLICY,
  ...(maxUnused && { maxUnused }),
})

function parseMaxUnused(text: string): PrunePolicy['maxUnused'] | undefined {
  if (text === 'unlimited') return 'unlimited'
  const share = parsePercent(text)
  if (share !== undefined) return { share }
  const bytes = parseSize(text)
  return bytes === undefined ? undefined : { bytes }
}
