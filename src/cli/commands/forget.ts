import { Option } from 'commander'
import { ChainkeepError } from '../../base/errors.ts'
import type { SnapshotId } from '../../base/ids.ts'
import { type Duration, parseDuration } from '../../maintain/duration.ts'
import { forget as runForget } from '../../maintain/forget.ts'
import { findExcess, type RemoveLimit } from '../../maintain/forget-limit.ts'
import { type ForgetPolicy, type GroupKey, planForget, UNLIMITED } from '../../maintain/forget-policy.ts'
import { prune as runPrune } from '../../maintain/prune.ts'
import type { Repository } from '../../repository/repository.ts'
import { findSnapshotId, fitsFilter, listSnapshots } from '../../repository/snapshots.ts'
import { type Context, defineVerb, parsedOption, repeatableOption, type Verb } from '../command.ts'
import { describeExcess, tellForgetPlan, tellForgotten } from '../describe-forget.ts'
import { tellPruned } from '../describe-prune.ts'
import { EXIT } from '../exit-codes.ts'
import { groupOption } from '../group-option.ts'
import { tableColumns } from '../io.ts'
import { limitsOf, type PruneValues, pruneOptions } from '../prune-options.ts'
import { type FilterValues, filterOf, filterOptions, splitCommas } from '../select-snapshots.ts'
import { parsePercent } from '../sizes.ts'

interface Options extends FilterValues, PruneValues {
  readonly keepLast?: number
  readonly keepHourly?: number
  readonly keepDaily?: number
  readonly keepWeekly?: number
  readonly keepMonthly?: number
  readonly keepYearly?: number
  readonly keepWithin?: Duration
  readonly keepTag?: readonly string[]
  readonly groupBy?: readonly GroupKey[]
  readonly maxRemove?: RemoveLimit
  readonly unsafeAllowRemoveAll?: boolean
  readonly prune?: boolean
  readonly dryRun?: boolean
}

export const forget: Verb = defineVerb<Options>({
  description: `Removes snapshots: those given, or all but those that rules keep. Rules are applied to each
host and its paths on their own; a snapshot that any rule keeps is kept, and the table says
why. Where there are fewer hours, days, … than a rule may keep, it keeps the oldest snapshot, too. Space is freed by prune.

Rules that would remove all snapshots of a host and paths, or nearly all of many, remove nothing: see --max-remove and
--unsafe-allow-remove-all. Snapshots whose date cannot be right, in the future or before their parent's, are kept and
counted for nothing; only their ids remove them.`,
  arguments: [['[id...]', 'these snapshots; with ids there are no rules']],
  options: [
    countOption('-l, --keep-last <n>', 'the last <n> snapshots'),
    countOption('-H, --keep-hourly <n>', 'the latest of each of the last <n> hours that have any'),
    countOption('-d, --keep-daily <n>', 'the same of days'),
    countOption('-w, --keep-weekly <n>', 'the same of weeks'),
    countOption('-m, --keep-monthly <n>', 'the same of months'),
    countOption('-y, --keep-yearly <n>', 'the same of years'),
    parsedOption(
      '--keep-within <duration>',
      'all made in this time before the latest one, such as 1y6m7d12h',
      parseDuration,
    ),
    repeatableOption('--keep-tag <tag,...>', 'all with these tags (may be repeated)'),
    groupOption('-g, --group-by <keys>', 'apply the rules to snapshots that agree in these').default(
      ['host', 'paths'],
      'host,paths',
    ),
    parsedOption(
      '--max-remove <limit>',
      'remove nothing if rules would remove more of a group: a number, a percentage, or unlimited (default: 90%, where that is more than 50)',
      parseRemoveLimit,
      'Give for example 24, 10% or unlimited.',
    ),
    new Option('--unsafe-allow-remove-all', 'let rules remove all snapshots of a group'),
    new Option('--prune', 'free the space right away'),
    ...pruneOptions(),
    new Option('-n, --dry-run', 'remove nothing, tell only what would be done'),
    ...filterOptions('--host <name>'),
  ],
  examples: [
    ['chainkeep forget --keep-hourly 24 --keep-daily 7 --keep-monthly 12 -n', 'see what rules would do'],
    ['chainkeep forget --keep-within 14d --keep-tag release --prune', 'two weeks and all releases, and free the space'],
    ['chainkeep forget 1a2b3c4d', 'remove one snapshot'],
  ],
  exitCodes: [10, 11],
  async run(context, options, texts) {
    const { io, output } = context
    const { dryRun = false } = options
    await using repository = await context.openRepository()
    const ids =
      texts.length > 0
        ? await findIds(context, repository, options, texts)
        : await planIds(context, repository, options)
    if (!dryRun) await runForget(repository, ids, { progress: output.progress, signal: io.signal })
    tellForgotten(output, ids.length, dryRun)
    if (!options.prune || ids.length === 0) return EXIT.done
    const result = await runPrune(repository, {
      ...limitsOf(options, io.now()),
      dryRun,
      without: dryRun ? ids : undefined,
      progress: output.progress,
      signal: io.signal,
    })
    tellPruned(output, result)
    return EXIT.done
  },
})

/** Those that the rules do not keep, once the tables are printed. */
async function planIds({ io, output }: Context, repository: Repository, options: Options): Promise<SnapshotId[]> {
  const { groupBy, maxRemove: limit, unsafeAllowRemoveAll: allowRemoveAll = false, dryRun } = options
  if (allowRemoveAll && !hasRule(options) && !options.host && !options.tag && !options.path)
    throw new ChainkeepError('USAGE', 'all snapshots would go: say which are meant, by --host, --tag or --path')
  const all = await listSnapshots(repository)
  const filter = filterOf(io, options)
  const chosen = all.filter(({ snapshot }) => fitsFilter(snapshot, filter))
  const groups = planForget(chosen, toPolicy(options), { groupBy, nowMs: io.now(), all, allowNoRule: allowRemoveAll })
  const excess = findExcess(groups, { allowRemoveAll, limit })
  if (excess && !dryRun) throw new ChainkeepError('REFUSED', `nothing is removed: ${describeExcess(excess, limit)}`)
  tellForgetPlan(output, groups, tableColumns(io.stdout))
  if (excess) output.notice(`without --dry-run this would be refused: ${describeExcess(excess, limit)}`)
  return groups.flatMap(({ remove }) => remove.map(({ id }) => id))
}

/** A damaged snapshot can be removed, too: none is loaded, unless `latest` is asked for. */
async function findIds(
  { io, output }: Context,
  repository: Repository,
  options: Options,
  texts: readonly string[],
): Promise<SnapshotId[]> {
  if (hasRule(options)) throw new ChainkeepError('USAGE', 'give either snapshots to remove, or rules of what to keep')
  const found = new Set<SnapshotId>()
  for (const text of texts) found.add(await findSnapshotId(repository, text, filterOf(io, options)))
  output.json([...found].map((id) => ({ message_type: 'removed', id })))
  return [...found]
}

function toPolicy(options: Options): ForgetPolicy {
  return {
    last: options.keepLast,
    hourly: options.keepHourly,
    daily: options.keepDaily,
    weekly: options.keepWeekly,
    monthly: options.keepMonthly,
    yearly: options.keepYearly,
    within: options.keepWithin,
    tags: options.keepTag?.map(splitCommas),
  }
}

const hasRule = (options: Options): boolean => Object.values(toPolicy(options)).some((rule) => rule !== undefined)

function parseRemoveLimit(text: string): RemoveLimit | undefined {
  if (text === 'unlimited') return { count: Infinity }
  const share = parsePercent(text)
  if (share !== undefined) return { share, count: 0 }
  return /^\d{1,9}$/.test(text) ? { count: Number(text) } : undefined
}

function countOption(flags: string, description: string): Option {
  const parse = (text: string): number | undefined =>
    text === 'unlimited' ? UNLIMITED : /^\d{1,9}$/.test(text) ? Number(text) : undefined
  return parsedOption(flags, `keep ${description}`, parse, 'It is a number, or unlimited.')
}
