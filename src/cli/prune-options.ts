import type { Option } from 'commander'
import { type Duration, parseDuration, timeBefore } from '../maintain/duration.ts'
import type { PruneOptions } from '../maintain/prune.ts'
import { DEFAULT_PRUNE_POLICY, type PrunePolicy } from '../maintain/prune-plan.ts'
import { parsedOption } from './command.ts'
import { parsePercent, parseSize } from './sizes.ts'

export interface PruneValues {
  readonly maxUnused?: PrunePolicy['maxUnused']
  readonly grace?: Duration
}

export function pruneOptions(): Option[] {
  return [
    parsedOption(
      '--max-unused <limit>',
      'how much may stay unused, so that less is written again: a percentage of what is left, a size, or unlimited (default: 5%)',
      parseMaxUnused,
      'Give for example 5%, 100M, 0 or unlimited.',
    ),
    parsedOption(
      '--grace <duration>',
      'how long what is to go stays readable, and what an interrupted backup has stored is left for its next run, such as 1d or 12h (default: 23h, but if nobody else is at work, what is to go goes at once)',
      parseDuration,
    ),
  ]
}

/** What they say to `prune`. */
export const limitsOf = (
  { maxUnused, grace }: PruneValues,
  nowMs: number,
): Pick<PruneOptions, 'policy' | 'graceMs'> => ({
  policy: { ...DEFAULT_PRUNE_POLICY, ...(maxUnused && { maxUnused }) },
  graceMs: grace && nowMs - timeBefore(nowMs, grace),
})

function parseMaxUnused(text: string): PrunePolicy['maxUnused'] | undefined {
  if (text === 'unlimited') return 'unlimited'
  const share = parsePercent(text)
  if (share !== undefined) return { share }
  const bytes = parseSize(text)
  return bytes === undefined ? undefined : { bytes }
}
