import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

/** What a scenario measures. A tool without commands for one of them has no figure there. */
export type Verb = 'first' | 'again' | 'check' | 'checkData' | 'restore' | 'prune'

/** Where one tool works in one round, as absolute paths. */
export interface Place {
  readonly repo: string
  readonly source: string
  /** Restores run with this as their working directory. */
  readonly target: string
  /** Backups so far, the one about to be made included. */
  readonly backups: number
}

/** A program and its arguments. */
export type Command = readonly string[]

export interface Tool {
  readonly name: string
  /** Prints the version in its first line. Where it fails, the tool counts as not installed. */
  readonly version: Command
  /** `home` is an empty directory for caches and the like. */
  readonly env: (home: string) => Readonly<Record<string, string>>
  /** Creates the repository; not measured. */
  readonly init: (repo: string) => readonly Command[]
  /** The commands are run one after the other and counted as one. */
  readonly verbs: Readonly<Partial<Record<Verb, (place: Place) => readonly Command[]>>>
}

const chainkeep = ['node', resolve('dist/cli/bin.js')]
const chainkeepBackup = ({ repo, source }: Place): Command[] => [[...chainkeep, 'backup', '-r', repo, source]]
const resticBackup = ({ repo, source }: Place): Command[] => [['restic', '-r', repo, 'backup', source]]
const borgBackup = ({ repo, source, backups }: Place): Command[] => [['borg', 'create', `${repo}::${backups}`, source]]

export const TOOLS: readonly Tool[] = [
  {
    name: 'cp -r',
    version: ['cp', '--version'],
    env: () => ({}),
    init: (repo) => [['mkdir', repo]],
    verbs: {
      first: ({ repo, source }) => [['cp', '-r', source, repo]],
      // From the source: the copy in the repository is hours old.
      restore: ({ source, target }) => [['cp', '-r', source, target]],
    },
  },
  {
    name: 'chainkeep',
    version: [...chainkeep, 'version'],
    env: (home) => ({ XDG_CACHE_HOME: home }),
    init: (repo) => [[...chainkeep, 'init', '-r', repo]],
    verbs: {
      first: chainkeepBackup,
      again: chainkeepBackup,
      check: ({ repo }) => [[...chainkeep, 'check', '-r', repo]],
      checkData: ({ repo }) => [[...chainkeep, 'check', '-r', repo, '--read-data']],
      restore: ({ repo, target }) => [[...chainkeep, 'restore', '-r', repo, 'latest', '-t', target]],
      prune: ({ repo }) => [[...chainkeep, 'forget', '-r', repo, '--keep-last', '2', '--prune']],
    },
  },
  {
    name: 'restic',
    version: ['restic', 'version'],
    env: (home) => ({ RESTIC_CACHE_DIR: home, RESTIC_PASSWORD: 'benchmark' }),
    init: (repo) => [['restic', '-r', repo, 'init']],
    verbs: {
      first: resticBackup,
      again: resticBackup,
      check: ({ repo }) => [['restic', '-r', repo, 'check']],
      checkData: ({ repo }) => [['restic', '-r', repo, 'check', '--read-data']],
      restore: ({ repo, target }) => [['restic', '-r', repo, 'restore', 'latest', '--target', target]],
      prune: ({ repo }) => [['restic', '-r', repo, 'forget', '--keep-last', '2', '--prune']],
    },
  },
  {
    name: 'borg',
    version: ['borg', '--version'],
    env: (home) => ({ BORG_BASE_DIR: home, BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes' }),
    init: (repo) => [['borg', 'init', '--encryption', 'none', repo]],
    verbs: {
      first: borgBackup,
      again: borgBackup,
      check: ({ repo }) => [['borg', 'check', repo]],
      checkData: ({ repo }) => [['borg', 'check', '--verify-data', repo]],
      restore: ({ repo, backups }) => [['borg', 'extract', `${repo}::${backups}`]],
      prune: ({ repo }) => [
        ['borg', 'prune', '--keep-last', '2', repo],
        ['borg', 'compact', repo],
      ],
    },
  },
]

/** The first line that the tool prints about its version; `undefined` where it is not installed. */
export function toolVersion(tool: Tool): string | undefined {
  const [program, ...args] = tool.version
  const { status, stdout } = spawnSync(program!, args, { encoding: 'utf8' })
  return status === 0 ? stdout.split('\n')[0] : undefined
}
