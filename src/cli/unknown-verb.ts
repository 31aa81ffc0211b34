import { ChainkeepError } from '../base/errors.ts'
import { nearest } from './nearest.ts'
import { VERBS } from './verbs.ts'

/** What to do instead of verbs that restic has. */
const INSTEAD: Readonly<Record<string, string>> = {
  unlock: 'locks of dead processes go by themselves',
  list: 'try "snapshots" or "cat"',
  mount: '"ls", "find" and "dump" look into a snapshot, "restore" gets files back',
  copy: 'a copy of the folder is a repository, too, if nothing writes to it meanwhile',
}

/** What a word that is no verb fails with: what was probably meant. */
export function unknownVerb(name: string): ChainkeepError {
  if (Object.hasOwn(INSTEAD, name)) return new ChainkeepError('USAGE', `there is no "${name}": ${INSTEAD[name]}`)
  const near = nearest(
    name,
    VERBS.map((verb) => verb.name),
  )
  return new ChainkeepError('USAGE', `unknown command '${name}'${near ? ` (did you mean ${near}?)` : ''}`)
}
