import { type ForgetGroup, type GroupKey, groupSnapshots } from '../../maintain/forget-policy.ts'
import { splitFuture } from '../../repository/snapshot-dates.ts'
import type { StoredSnapshot } from '../../repository/snapshots.ts'
import { type Context, defineVerb, parsedOption, type Verb } from '../command.ts'
import { countOf, snapshotColumns, snapshotToJson } from '../describe-snapshot.ts'
import { EXIT } from '../exit-codes.ts'
import { describeGroup, groupOption, groupToJson, keysOf } from '../group-option.ts'
import { tableColumns } from '../io.ts'
import { type FilterValues, filterOf, filterOptions, selectSnapshots } from '../select-snapshots.ts'
import { renderTable } from '../table.ts'

interface Options extends FilterValues {
  readonly latest?: number
  readonly groupBy?: readonly GroupKey[]
}

export const snapshots: Verb = defineVerb<Options>({
  description: 'Lists the snapshots, oldest first.',
  arguments: [['[id...]', 'only these: the first digits of their ids, latest, or latest~N']],
  options: [
    ...filterOptions(),
    parsedOption('--latest <n>', 'only the latest <n> of each host and paths', parseCount, 'It is a number from 1 on.'),
    groupOption('-g, --group-by <keys>', 'a table for each group of snapshots that agree in these'),
  ],
  examples: [
    ['chainkeep snapshots', 'all of them'],
    ['chainkeep snapshots --host db1 --tag weekly --latest 1', 'the latest weekly one of a host'],
    ['chainkeep snapshots --group-by host,paths', 'a table for each host and its paths'],
    ["chainkeep snapshots --json | jq -r '.[].id'", 'the ids, for a script'],
  ],
  exitCodes: [10],
  async run(context, options, ids) {
    const { io, output } = context
    await using repository = await context.openRepository()
    const selected = await selectSnapshots(repository, ids, filterOf(io, options))
    const shown = options.latest ? keepLatest(selected, options.latest, io.now()) : selected
    if (!options.groupBy) {
      output.json(shown.map(snapshotToJson))
      printTable(context, shown)
      return EXIT.done
    }
    const { groupBy } = options
    const groups = groupSnapshots(shown, groupBy)
    output.json(
      groups.map(({ key, members }) => ({ group_key: keyToJson(key), snapshots: members.map(snapshotToJson) })),
    )
    for (const { key, members } of groups) {
      output.print(output.paint.bold(describeGroup(key)))
      printTable(context, members, keysOf(key))
      output.print()
    }
    return EXIT.done
  },
})

function keyToJson(key: ForgetGroup['key']): Record<string, unknown> {
  const { host: hostname, paths, tags } = groupToJson(key)
  return { hostname, paths, tags }
}

function printTable({ io, output }: Context, shown: readonly StoredSnapshot[], omit: readonly GroupKey[] = []): void {
  if (shown.length > 0)
    for (const line of renderTable(snapshotColumns({ omit }), shown, tableColumns(io.stdout))) output.print(line)
  output.print(countOf(shown.length, 'snapshot'))
  const incomplete = shown.filter(({ snapshot }) => snapshot.failureCount > 0).length
  if (incomplete > 0)
    output.info(
      `${incomplete} ${incomplete === 1 ? 'lacks' : 'lack'} files that could not be read: "chainkeep cat snapshot ID" lists them`,
    )
}

/** As `latest` means it: of the future only where there is nothing else. */
function keepLatest(all: readonly StoredSnapshot[], count: number, nowMs: number): StoredSnapshot[] {
  const latestOf = (members: readonly StoredSnapshot[]): readonly StoredSnapshot[] => {
    const { past } = splitFuture(members, nowMs)
    return (past.length > 0 ? past : members).slice(-count)
  }
  const kept = new Set(groupSnapshots(all, ['host', 'paths']).flatMap(({ members }) => latestOf(members)))
  return all.filter((stored) => kept.has(stored))
}

function parseCount(text: string): number | undefined {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined
}
