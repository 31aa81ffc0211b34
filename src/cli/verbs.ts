import type { Verb } from './command.ts'

export interface VerbEntry {
  readonly name: string
  readonly summary: string
  readonly group: string
  /** Loads its module: only the one that is run, so that each starts fast. */
  readonly load: () => Promise<Verb>
}

const WRITE = 'Back up and restore:'
const LOOK = 'Look:'
const CARE = 'Take care of the repository:'

/** Every verb, in the order of the help. */
export const VERBS: readonly VerbEntry[] = [
  {
    name: 'init',
    summary: 'create a repository',
    group: WRITE,
    load: async () => (await import('./commands/init.ts')).init,
  },
  {
    name: 'backup',
    summary: 'store files in a new snapshot',
    group: WRITE,
    load: async () => (await import('./commands/backup.ts')).backup,
  },
  {
    name: 'restore',
    summary: 'get files back from a snapshot',
    group: WRITE,
    load: async () => (await import('./commands/restore.ts')).restore,
  },
  {
    name: 'snapshots',
    summary: 'list the snapshots',
    group: LOOK,
    load: async () => (await import('./commands/snapshots.ts')).snapshots,
  },
  {
    name: 'ls',
    summary: 'list the files in a snapshot',
    group: LOOK,
    load: async () => (await import('./commands/ls.ts')).ls,
  },
  {
    name: 'find',
    summary: 'look for files in snapshots',
    group: LOOK,
    load: async () => (await import('./commands/find.ts')).find,
  },
  {
    name: 'diff',
    summary: 'tell what differs between two snapshots',
    group: LOOK,
    load: async () => (await import('./commands/diff.ts')).diff,
  },
  {
    name: 'dump',
    summary: 'write a file of a snapshot to stdout',
    group: LOOK,
    load: async () => (await import('./commands/dump.ts')).dump,
  },
  {
    name: 'stats',
    summary: 'tell what the snapshots take',
    group: LOOK,
    load: async () => (await import('./commands/stats.ts')).stats,
  },
  {
    name: 'cat',
    summary: 'print stored metadata',
    group: LOOK,
    load: async () => (await import('./commands/cat.ts')).cat,
  },
  {
    name: 'version',
    summary: 'print the version',
    group: LOOK,
    load: async () => (await import('./commands/version.ts')).version,
  },
  {
    name: 'check',
    summary: 'look for damage',
    group: CARE,
    load: async () => (await import('./commands/check.ts')).check,
  },
  {
    name: 'forget',
    summary: 'remove snapshots, by rules',
    group: CARE,
    load: async () => (await import('./commands/forget.ts')).forget,
  },
  {
    name: 'prune',
    summary: 'free what no snapshot needs',
    group: CARE,
    load: async () => (await import('./commands/prune.ts')).prune,
  },
  {
    name: 'tag',
    summary: 'change the tags of snapshots',
    group: CARE,
    load: async () => (await import('./commands/tag.ts')).tag,
  },
  {
    name: 'parity',
    summary: 'keep what damaged packs can be healed from',
    group: CARE,
    load: async () => (await import('./commands/parity.ts')).parity,
  },
  {
    name: 'repair',
    summary: 'make the best of damage',
    group: CARE,
    load: async () => (await import('./commands/repair.ts')).repair,
  },
]
