import { EXIT_CODE_HELP } from './exit-codes.ts'

/** What stands below the verbs, for `describeCommand`. */
export const PROGRAM_HELP: string = `
Examples:
  # once
  chainkeep init --repo /backup/node

  # every hour
  chainkeep backup --repo /backup/node /var/lib/litecoin

  # on a bad day
  chainkeep restore --repo /backup/node latest --target /srv/restored

A snapshot is named by the first digits of its id, by "latest", or by "latest~N", the Nth before the latest; "ID:path" means
what is at that path in it.

Environment:
  CHAINKEEP_REPOSITORY  the repository, unless --repo is given
  CHAINKEEP_CACHE_DIR  the cache, unless --cache-dir is given
  CHAINKEEP_PROGRESS_FPS  how often a second progress is written
  NO_COLOR  set to anything: no colours

Exit codes:
${EXIT_CODE_HELP.map(([code, meaning]) => `  ${code}  ${meaning}`).join('\n')}

"chainkeep help VERB" shows the help of a verb.`
