import { Option } from 'commander'
import { displayBytes } from '../base/bytes.ts'
import type { ForgetGroup, GroupKey } from '../maintain/forget-policy.ts'
import { requireChoice } from './command.ts'
import { pathField } from './output.ts'
import { splitCommas } from './select-snapshots.ts'

const GROUP_KEYS: readonly GroupKey[] = ['host', 'paths', 'tags']
/** restic takes either. */
const SYNONYMS: Readonly<Record<string, GroupKey>> = { hosts: 'host', path: 'paths', tag: 'tags' }

/** An option whose value is some of `host,paths,tags`, or empty for one group of all. */
export function groupOption(flags: string, description: string): Option {
  return new Option(flags, `${description} (${GROUP_KEYS.join(', ')})`).argParser((text: string) =>
    splitCommas(text).map((key) => requireChoice(SYNONYMS[key] ?? key, GROUP_KEYS)),
  )
}

/** What the snapshots of a group agree in, as a heading. */
export function describeGroup(key: ForgetGroup['key']): string {
  const parts = describeKey(key)
  return parts.length > 0 ? `Snapshots of ${parts.join('; ')}` : 'All snapshots'
}

/** The same within a sentence: ` of host db1 and paths /node`, or nothing. */
export function ofGroup(key: ForgetGroup['key']): string {
  const parts = describeKey(key)
  return parts.length > 0 ? ` of ${parts.join(' and ')}` : ''
}

function describeKey({ host, paths, tags }: ForgetGroup['key']): string[] {
  return [
    ...(host === undefined ? [] : [`host ${host}`]),
    ...(paths ? [`paths ${paths.map(displayBytes).join(', ')}`] : []),
    ...(tags ? [`tags ${tags.join(', ') || '(none)'}`] : []),
  ]
}

/** What `describeGroup` says something of. */
export function keysOf(key: ForgetGroup['key']): GroupKey[] {
  return GROUP_KEYS.filter((name) => key[name] !== undefined)
}

/** The same in restic's words; what they need not agree in is null, or empty. */
export function groupToJson({ host = '', paths, tags }: ForgetGroup['key']): {
  host: string
  paths: string[] | null
  tags: readonly string[] | null
} {
  return { host, paths: paths?.map((path) => pathField(path).path) ?? null, tags: tags ?? null }
}
