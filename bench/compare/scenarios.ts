import type { Verb } from './tools.ts'

/** One row of the tables. Rows build on those above: one repository for each tool and kind of data lasts a round. */
export interface Scenario {
  readonly name: string
  readonly verb: Verb
  /** A node's directory (the default) or one of many small files, each with repositories of its own. */
  readonly data?: 'small files'
  /** Before it, an hour passes in the source; with `saved` every tool then makes a backup that is not measured. */
  readonly hour?: 'passes' | 'saved'
  /** For a restore: into an empty directory, or into the one of the restore above with 1 % of its bytes damaged. */
  readonly target?: 'empty' | 'damaged'
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'first backup', verb: 'first' },
  { name: 'unchanged backup', verb: 'again' },
  { name: 'one hour later', verb: 'again', hour: 'passes' },
  { name: 'check of structure', verb: 'check' },
  { name: 'check of all data', verb: 'checkData' },
  { name: 'restore to an empty directory', verb: 'restore', target: 'empty' },
  { name: 'restore over 1 % damaged', verb: 'restore', target: 'damaged' },
  { name: 'forget and prune 2 of 4 snapshots', verb: 'prune', hour: 'saved' },
  { name: 'first backup, small files', verb: 'first', data: 'small files' },
  { name: 'unchanged backup, small files', verb: 'again', data: 'small files' },
]
