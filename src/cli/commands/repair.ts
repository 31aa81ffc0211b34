import { Option } from 'commander'
import { ChainkeepError } from '../../base/errors.ts'
import { repairIndex } from '../../maintain/repair-index.ts'
import { repairPacks } from '../../maintain/repair-packs.ts'
import { repairSnapshots } from '../../maintain/repair-snapshots.ts'
import type { Repository } from '../../repository/repository.ts'
import { type Context, defineVerb, type Verb } from '../command.ts'
import { tellRepairedIndex, tellRepairedPacks, tellRepairedSnapshots } from '../describe-repair.ts'
import { nearest } from '../nearest.ts'
import { findPackIds } from '../select-packs.ts'
import { selectSnapshots } from '../select-snapshots.ts'

interface Options {
  readonly forget?: boolean
  readonly dryRun?: boolean
}

export const repair: Verb = defineVerb<Options>({
  description: `Makes the best of damage that "chainkeep check" has found. In this order:

  repair packs [ID...]       heals damaged packs that have parity enough; of the others saves what is sound into
                             new ones, and removes the damaged; writes damaged parity again
  backup                     stores again what is lost and the source still has: where the last snapshot of
                             its paths lacks anything, every file is read
  repair snapshots [ID...]   makes of each snapshot that lacks something another one without it

"repair index" builds the index again from the packs; a damaged one is noticed and rebuilt anyway.`,
  arguments: [
    ['<what>', 'packs, snapshots or index'],
    ['[id...]', 'only these packs or snapshots'],
  ],
  options: [
    new Option('--forget', 'snapshots: remove the damaged ones once they are replaced'),
    new Option('-n, --dry-run', 'packs, snapshots: change nothing, tell only what would be done'),
  ],
  examples: [
    ['chainkeep repair packs --dry-run', 'read all packs, and see what could be saved'],
    ['chainkeep repair packs', 'save it'],
    ['chainkeep repair snapshots --forget', 'replace the snapshots that lack something'],
    ['chainkeep repair index', 'build the index again'],
  ],
  exitCodes: [10, 11],
  async run(context, options, [what, ...ids]) {
    const run = REPAIRS[what!]
    if (!run) {
      const near = nearest(what!, Object.keys(REPAIRS))
      const names = Object.keys(REPAIRS).join(', ')
      throw new ChainkeepError(
        'USAGE',
        `there is no "${what}" to repair: ${near ? `did you mean ${near}?` : `it is one of ${names}`}`,
      )
    }
    await using repository = await context.openRepository()
    return await run(context, repository, options, ids)
  },
})

type Repair = (context: Context, repository: Repository, options: Options, ids: readonly string[]) => Promise<number>

const REPAIRS: Readonly<Record<string, Repair>> = {
  async packs({ io, output }, repository, { dryRun, forget }, ids) {
    if (forget) throw new ChainkeepError('USAGE', '--forget is for "repair snapshots"')
    const packs = ids.length > 0 ? await findPackIds(repository, ids) : undefined
    const repaired = await repairPacks(repository, { packs, dryRun, progress: output.progress, signal: io.signal })
    return tellRepairedPacks(output, repaired, dryRun === true)
  },
  async snapshots({ io, output }, repository, { dryRun, forget }, ids) {
    const { progress } = output
    const snapshots = ids.length > 0 ? await selectSnapshots(repository, ids, {}) : undefined
    const options = { snapshots, forgetOriginals: forget, dryRun, progress, signal: io.signal }
    return tellRepairedSnapshots(output, await repairSnapshots(repository, options), dryRun === true)
  },
  async index({ output }, repository, { dryRun, forget }, ids) {
    if (dryRun || forget || ids.length > 0)
      throw new ChainkeepError('USAGE', '"repair index" takes neither ids nor options')
    return tellRepairedIndex(output, await repairIndex(repository))
  },
}
