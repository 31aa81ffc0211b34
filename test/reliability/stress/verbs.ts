import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Dice } from '../../../bench/node/random.ts'
import { compareTrees } from '../../helpers/compare-trees.ts'
import { type Backup, KEPT } from './model.ts'
import { findJson, type Outcome } from './program.ts'
import type { Step } from './script.ts'
import { change, type World } from './world.ts'

/** A command line, what it may answer, and what follows from the answer. */
export interface Act {
  readonly argv: readonly string[]
  /** Why it may fail, as it says it: asked when it has failed. */
  readonly refusals?: () => readonly RegExp[]
  /** Called when its process has ended, in whatever way. Answers what is wrong, in words. */
  readonly end?: (outcome: Outcome) => readonly string[]
}

interface Verb {
  /** How often it comes, beside the others. */
  readonly weight: number
  /** Nothing if there is nothing that it could be done to. */
  readonly begin: (world: World, step: Step) => Act | undefined
}

const ANOTHER_PRUNES = /is pruning the repository \(since [^)]*\); try again when it has finished$/
const SOMEBODY_WORKS = /; wait until it has finished, or prune without --grace: /
const INDEX_IN_USE = /^the index in .* is in use by another process; try again when it has finished$/
const NO_SUCH_SNAPSHOT = [
  /^there is no snapshot "/,
  /^no snapshot fits;/,
  /^there are no snapshots yet$/,
  /^cannot read .*\/snapshots\/[0-9a-f]{64}: /,
]

const ALL = {
  backup: { weight: 9, begin: (world, step) => backup(world, step, []) },
  'backup --type full': { weight: 2, begin: (world, step) => backup(world, step, ['--type', 'full']) },
  'backup --type differential': { weight: 1, begin: (world, step) => backup(world, step, ['--type', 'differential']) },
  restore: { weight: 4, begin: restore },
  check: { weight: 1, begin: () => ({ argv: ['check'] }) },
  'check --read-data': { weight: 2, begin: () => ({ argv: ['check', '--read-data'] }) },
  'forget ID': { weight: 2, begin: forget },
  'forget by rules': { weight: 2, begin: (world, { dice }) => forgetByRules(world, dice, []) },
  'forget --prune': { weight: 2, begin: (world, { dice }) => forgetByRules(world, dice, ['--prune', ...limits(dice)]) },
  prune: { weight: 4, begin: (_, { dice }) => prune(limits(dice)) },
  'prune --grace 1h': { weight: 2, begin: (_, { dice }) => prune(['--grace', '1h', ...limits(dice)]) },
  'prune --grace 0h': { weight: 1, begin: (_, { dice }) => prune(['--grace', '0h', ...limits(dice)]) },
  tag: { weight: 2, begin: tag },
  'repair index': { weight: 1, begin: () => ({ argv: ['repair', 'index'], refusals: () => [INDEX_IN_USE] }) },
  'repair packs': { weight: 1, begin: () => ({ argv: ['repair', 'packs'], refusals: () => [ANOTHER_PRUNES] }) },
  'repair snapshots': { weight: 1, begin: () => ({ argv: ['repair', 'snapshots', '--forget'] }) },
  parity: { weight: 1, begin: (_, { dice }) => parity(dice) },
  look: { weight: 3, begin: look },
} satisfies Record<string, Verb>

export type VerbName = keyof typeof ALL
export const VERBS: Readonly<Record<VerbName, Verb>> = ALL

const limits = (dice: Dice): string[] => (dice(3) > 0 ? ['--max-unused', '0'] : [])

const pick = <T>(items: readonly T[], dice: Dice): T | undefined => items[dice(items.length)]

function backup({ place, sources, model }: World, { number, dice }: Step, options: readonly string[]): Act {
  const source = pick(sources, dice)!
  change(source, place, dice)
  source.users++
  const isKept = dice(6) === 0
  const { copy, path } = source
  const begun = model.begin({ tag: `step-${number}`, isKept, source: path, copy })
  return {
    argv: ['backup', ...options, '--tag', begun.tag, ...(isKept ? ['--tag', KEPT] : []), '--threads', '1', path],
    end: ({ code, stdout }) => {
      source.users--
      const summary = findJson(stdout, ({ snapshot_id }) => snapshot_id !== undefined)
      if (summary) begun.ids = [(summary as { snapshot_id: string }).snapshot_id]
      begun.said.published = summary !== undefined
      return code === 0 && !summary ? ['it does not tell the id of its snapshot'] : []
    },
  }
}

function restore({ place, model }: World, { number, dice }: Step): Act | undefined {
  const chosen = pick(model.named(), dice)
  if (!chosen) return undefined
  const target = join(place.path, `restored-${number}`)
  return {
    argv: ['restore', `${pick(chosen.ids, dice)}:${chosen.source}`, '--target', target],
    refusals: () => (model.mayHaveGone(chosen) ? NO_SUCH_SNAPSHOT : []),
    end: ({ code }) => {
      const differences = code === 0 ? compareTrees(chosen.copy, target, { root: false }) : []
      rmSync(target, { recursive: true, force: true })
      return differences
    },
  }
}

function forget({ model }: World, { dice }: Step): Act | undefined {
  const named = model.named()
  const chosen = new Set(Array.from({ length: 1 + dice(1 + Math.floor(named.length / 4)) }, () => pick(named, dice)!))
  if (named.length === 0) return undefined
  for (const { said } of chosen) said.disturbers++
  const ids = [...chosen].flatMap((each) => each.ids)
  return {
    argv: ['forget', ...ids],
    refusals: () => ([...chosen].some((each) => model.mayHaveGone(each, 1)) ? NO_SUCH_SNAPSHOT : []),
    end: ({ code, stdout }) => {
      const hasBegun = findJson(stdout, (value) => Array.isArray(value)) !== undefined
      for (const { said } of chosen) if (hasBegun) said.forgotten = code === 0 ? 'yes' : worse(said.forgotten)
      return []
    },
  }
}

const worse = (forgotten: Backup['said']['forgotten']): 'perhaps' | 'yes' => (forgotten === 'yes' ? 'yes' : 'perhaps')

interface ForgetPlan {
  readonly keep: readonly { readonly tags: readonly string[] | null }[] | null
  readonly remove: readonly { readonly tags: readonly string[] | null }[] | null
}

function forgetByRules({ model }: World, dice: Dice, options: readonly string[]): Act {
  model.beginRules()
  const last = 1 + dice(3)
  return {
    argv: ['forget', '--keep-last', `${last}`, '--keep-tag', KEPT, ...options],
    refusals: () => (options.length > 0 ? [ANOTHER_PRUNES] : []),
    end: ({ code, stdout, cut }) => {
      const plan = findJson(stdout, (value) => Array.isArray(value)) as readonly ForgetPlan[] | undefined
      const backups = (which: keyof ForgetPlan): Set<Backup | undefined> =>
        new Set(plan?.flatMap((group) => (group[which] ?? []).map(({ tags }) => model.ofTags(tags ?? []))))
      const kept = backups('keep')
      const faults: string[] = []
      for (const each of backups('remove')) {
        if (!each) faults.push('it forgets what nobody has made')
        else if (each.isKept) faults.push(`it forgets ${each.tag}, which is tagged to be kept`)
        else if (!kept.has(each)) each.said.forgotten = code === 0 ? 'yes' : worse(each.said.forgotten)
      }
      for (const { keep, remove } of plan ?? [])
        if ((remove?.length ?? 0) > 0 && (keep?.length ?? 0) < last) faults.push('it keeps less than it should')
      if (code === 0 && !plan && !cut) faults.push('it does not tell its plan')
      return faults
    },
  }
}

const prune = (options: readonly string[]): Act => ({
  argv: ['prune', ...options],
  refusals: () => [ANOTHER_PRUNES, ...(options.includes('0h') ? [SOMEBODY_WORKS] : [])],
})

function tag({ model }: World, { number, dice }: Step): Act | undefined {
  const chosen = pick(model.named(), dice)
  if (!chosen) return undefined
  chosen.said.disturbers++
  chosen.said.isTagged = true
  const change = dice(2) === 0 ? ['--add', `t-${number}`] : ['--remove', `t-${number - dice(50)}`]
  return {
    argv: ['tag', ...change, ...chosen.ids.slice(0, 1)],
    refusals: () => (model.mayHaveGone(chosen, 1) ? NO_SUCH_SNAPSHOT : []),
  }
}

function parity(dice: Dice): Act {
  const percent = dice(3) * 5
  return { argv: ['parity', `${percent}`], refusals: () => (percent === 0 ? [ANOTHER_PRUNES] : []) }
}

function look({ model }: World, { dice }: Step): Act {
  const named = model.named()
  const chosen = [pick(named, dice), pick(named, dice)].flatMap((each) => each ?? [])
  const [first = 'latest', second = first] = chosen.map(({ ids }) => ids[0]!)
  const ways = [
    ['snapshots'],
    ['ls', first],
    ['ls', 'latest'],
    ['find', '*log*'],
    ['diff', first, second],
    ['stats'],
    ['stats', first],
  ]
  const mayHaveGone = (): boolean => model.mayBeEmpty() || chosen.some((each) => model.mayHaveGone(each))
  return { argv: pick(ways, dice)!, refusals: () => (mayHaveGone() ? NO_SUCH_SNAPSHOT : []) }
}
