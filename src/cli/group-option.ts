import { Option as CommanderOption, type Option } from 'commander'
import { displayBytes } from '../base/bytes.ts'
import type { StoredSnapshot } from '../repository/snapshots.ts'
import { requireChoice } from './command.ts'
import { pathField } from './output.ts'
import { GROUP_KEYS, type GroupKey, splitCommas } from './select-snapshots.ts'

/** An option whose value is some of `host,paths,tags`, or empty for one group of all. */
export function groupOption(flags: string, description: string): Option {
  return new CommanderOption(flags, `${description} (${GROUP_KEYS.join(', ')})`).argParser((text: string) =>
    splitCommas(text).map((key) => requireChoice(PLURALS[key] ?? key, GROUP_KEYS)),
  )
}

/** restic takes either. */
const PLURALS: Readonly<Record<string, GroupKey>> = { hosts: 'host', path: 'paths', tag: 'tags' }

/** What the snapshots of a group agree in, for people. */
export function describeGroup([first]: readonly StoredSnapshot[], keys: readonly GroupKey[]): string {
  if (!first || keys.length === 0) return 'all snapshots'
  const { host, paths, tags } = first.snapshot
  const texts = {
    host: `host ${host}`,
    paths: `paths ${paths.map(displayBytes).join(', ')}`,
    tags: `tags ${tags.join(', ')}`,
  }
  return `snapshots of ${keys.map((key) => texts[key]).join('; ')}`
}

/** The same as restic's JSON; what they need not agree in is null. */
export function groupKeyToJson([first]: readonly StoredSnapshot[], keys: readonly GroupKey[]): Record<string, unknown> {
  const has = (key: GroupKey): boolean => first !== undefined && keys.includes(key)
  return {
    hostname: has('host') ? first?.snapshot.host : '',
    paths: has('paths') ? first?.snapshot.paths.map((path) => pathField(path).path) : null,
    tags: has('tags') ? first?.snapshot.tags : null,
  }
}
