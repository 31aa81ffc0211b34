import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { type Command, ENVIRONMENT } from '../measure.ts'

/** What a scenario measures. A tool without commands for one of them has no figure there. */
export type Verb = 'first' | 'again' | 'check' | 'checkData' | 'restore' | 'prune'

/** Where one tool works on one source, as absolute paths. */
export interface Place {
  readonly repo: string
  readonly source: string
  /** Restores run with this as their working directory. */
  readonly target: string
  /** Backups so far, the one about to be made included. */
  readonly backups: number
  /** How many snapshots pruning is to leave. */
  readonly keep: number
}

export interface Tool {
  /** In options, files and records. */
  readonly id: string
  readonly name: string
  /** Prints the version in its first line. Where it fails, the tool counts as not installed. */
  readonly version: Command
  /** What is set for it; `home` is an empty directory for caches and the like. */
  readonly env: (home: string) => Readonly<Record<string, string>>
  /** Creates the repository; not measured. */
  readonly init: (repo: string) => readonly Command[]
  /** The commands are run one after the other and counted as one. */
  readonly verbs: Readonly<Partial<Record<Verb, (place: Place) => readonly Command[]>>>
  /** Prints a line for each snapshot, or an array of them in JSON; not measured. */
  readonly snapshots?: (repo: string) => Command
}

const CHAINKEEP = ['node', resolve('dist/cli/bin.js')]
const chainkeepBackup = ({ repo, source }: Place): Command[] => [[...CHAINKEEP, 'backup', '-r', repo, source]]
const chainkeepCheck = ({ repo }: Place): Command[] => [[...CHAINKEEP, 'check', '-r', repo]]
const chainkeepCheckData = ({ repo }: Place): Command[] => [[...CHAINKEEP, 'check', '-r', repo, '--read-data']]
const chainkeepInit = (repo: string): Command[] => [[...CHAINKEEP, 'init', '-r', repo]]

const resticBackup = ({ repo, source }: Place): Command[] => [['restic', '-r', repo, 'backup', source]]
const borgBackup = ({ repo, source, backups }: Place): Command[] => [['borg', 'create', `${repo}::${backups}`, source]]

/** Borg wants to be told how to encrypt; all else is as it comes. */
const borg = (id: string, name: string, encryption: string): Tool => ({
  id,
  name,
  version: ['borg', '--version'],
  env: (home) => ({
    BORG_BASE_DIR: home,
    BORG_PASSPHRASE: 'benchmark',
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
  }),
  init: (repo) => [['borg', 'init', '--encryption', encryption, repo]],
  verbs: {
    first: borgBackup,
    again: borgBackup,
    check: ({ repo }) => [['borg', 'check', repo]],
    checkData: ({ repo }) => [['borg', 'check', '--verify-data', repo]],
    restore: ({ repo, backups }) => [['borg', 'extract', `${repo}::${backups}`]],
    prune: ({ repo, keep }) => [
      ['borg', 'prune', '--keep-last', `${keep}`, repo],
      ['borg', 'compact', repo],
    ],
  },
  snapshots: (repo) => ['borg', 'list', '--short', repo],
})

export const TOOLS: readonly Tool[] = [
  {
    id: 'cp',
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
    id: 'chainkeep',
    name: 'chainkeep',
    version: [...CHAINKEEP, 'version'],
    env: (home) => ({ XDG_CACHE_HOME: home }),
    init: chainkeepInit,
    verbs: {
      first: chainkeepBackup,
      again: chainkeepBackup,
      check: chainkeepCheck,
      checkData: chainkeepCheckData,
      restore: ({ repo, target }) => [[...CHAINKEEP, 'restore', '-r', repo, 'latest', '-t', target]],
      prune: ({ repo, keep }) => [[...CHAINKEEP, 'forget', '-r', repo, '--keep-last', `${keep}`, '--prune']],
    },
    snapshots: (repo) => [...CHAINKEEP, 'snapshots', '-r', repo, '--json'],
  },
  {
    id: 'chainkeep-no-kernel',
    name: 'chainkeep without kernel',
    version: [...CHAINKEEP, 'version'],
    env: (home) => ({ XDG_CACHE_HOME: home, CHAINKEEP_KERNEL: 'off' }),
    init: chainkeepInit,
    verbs: { first: chainkeepBackup, check: chainkeepCheck, checkData: chainkeepCheckData },
  },
  {
    id: 'restic',
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
      prune: ({ repo, keep }) => [['restic', '-r', repo, 'forget', '--keep-last', `${keep}`, '--prune']],
    },
    snapshots: (repo) => ['restic', '-r', repo, 'snapshots', '--json'],
  },
  borg('borg', 'borg', 'repokey-blake2'),
  borg('borg-plain', 'borg, not encrypted', 'none'),
]

/** The first line that the tool prints about its version; `undefined` where it is not installed. */
export function toolVersion(tool: Tool): string | undefined {
  const [program, ...args] = tool.version
  const env = { ...ENVIRONMENT, ...tool.env(tmpdir()) }
  const { status, stdout } = spawnSync(program!, args, { encoding: 'utf8', env })
  return status === 0 ? stdout.split('\n')[0] : undefined
}
