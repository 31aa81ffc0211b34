import type { Verb } from './tools.ts'

/** One row of the tables. Rows build on those above: one repository for each tool and kind of data lasts a round. */
export interface Scenario {
  /** For `--only`, and in records. */
  readonly id: string
  readonly name: string
  readonly verb: Verb
  /** The row without which this one cannot be. */
  readonly needs?: string
  /** A node's directory (the default) or one of many small files, each with repositories of its own. */
  readonly data?: 'small files'
  /** Whether an hour passes in the source before it. */
  readonly hourLater?: boolean
  /**
   * Before it, at least so many hours pass, after each of which every tool makes a backup that is not measured; one more
   * if it takes one to halve the number of snapshots.
   */
  readonly savedHours?: number
  /** For a restore: into an empty directory, or into the one of the restore above with 1 % of its bytes damaged. */
  readonly target?: 'empty' | 'damaged'
  /** How often it is measured in a round. What takes long once is measured once. */
  readonly times?: number
}

export const SCENARIOS: readonly Scenario[] = [
  { id: 'first', name: 'first backup', verb: 'first' },
  { id: 'unchanged', name: 'unchanged backup', verb: 'again', needs: 'first', times: 3 },
  { id: 'hour', name: 'one hour later', verb: 'again', needs: 'first', hourLater: true },
  { id: 'check', name: 'check of structure', verb: 'check', needs: 'first' },
  { id: 'check-data', name: 'check of all data', verb: 'checkData', needs: 'first' },
  { id: 'restore', name: 'restore to an empty directory', verb: 'restore', needs: 'first', target: 'empty' },
  { id: 'restore-damaged', name: 'restore over 1 % damaged', verb: 'restore', needs: 'restore', target: 'damaged' },
  { id: 'prune', name: 'forget and prune half of the snapshots', verb: 'prune', needs: 'first', savedHours: 9 },
  { id: 'small-first', name: 'first backup, small files', verb: 'first', data: 'small files' },
  {
    id: 'small-unchanged',
    name: 'unchanged backup, small files',
    verb: 'again',
    needs: 'small-first',
    data: 'small files',
    times: 3,
  },
]

/** Those of the ids, and what they need, in order of the tables. */
export function chooseScenarios(ids: readonly string[], all: readonly Scenario[] = SCENARIOS): Scenario[] {
  const wanted = new Set(ids)
  for (const { id, needs } of all.toReversed()) if (needs !== undefined && wanted.has(id)) wanted.add(needs)
  return all.filter(({ id }) => wanted.has(id))
}
