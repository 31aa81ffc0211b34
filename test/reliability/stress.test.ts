import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Dice, makeDice } from '../../bench/node/random.ts'
import { localBackend } from '../../src/backend/local.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { check } from '../../src/maintain/check.ts'
import { prune } from '../../src/maintain/prune.ts'
import { setParity } from '../../src/maintain/set-parity.ts'
import { openRepository, type Repository } from '../../src/repository/repository.ts'
import { listSnapshots, type StoredSnapshot } from '../../src/repository/snapshots.ts'
import { restore } from '../../src/restore/restorer.ts'
import { compareTrees } from '../helpers/compare-trees.ts'
import { isComplete, SECONDS, SEED } from './form.ts'
import { makePlace } from './place.ts'
import { environmentOf } from './recording.ts'
import { EVERYTHING } from './story.ts'
import { faultsIn } from './stress/faults.ts'
import { runProgram } from './stress/program.ts'
import { type Step, writeScript } from './stress/script.ts'
import { VERBS, type VerbName } from './stress/verbs.ts'
import { filesIn, HOUR_MS, letTimePass, makeWorld, neglectLock, removeCopies, type World } from './stress/world.ts'

const SHORT_SECONDS = process.env.CI ? 60 : 10
const STALE_MS = HOUR_MS
const RESTORES = 2

test('however many work at once, and however they end, nothing is lost', { timeout: 24 * HOUR_MS }, async () => {
  await using place = makePlace()
  const dice = makeDice(SEED)
  const it = new Stress(makeWorld(place, dice), dice)
  await it.begin()
  const endMs = performance.now() + 1000 * (isComplete ? SECONDS : SHORT_SECONDS)
  while (performance.now() < endMs) await it.batch()
  await it.end()
  console.log(it.report())
})

/** What became of the processes of one verb. */
interface Count {
  runs: number
  done: number
  refused: number
  killed: number
  slept: number
}

/** A repository that several hosts use at once, of which every process may come to an end at any moment. */
class Stress {
  readonly #world: World
  readonly #dice: Dice
  readonly #counts = new Map<string, Count>()
  #batches = 0
  #steps = 0
  #restored = 0
  #slowest = { ms: 0, verb: '' }

  constructor(world: World, dice: Dice) {
    this.#world = world
    this.#dice = dice
  }

  async begin(): Promise<void> {
    const { place, hosts, running } = this.#world
    const { code } = await runProgram(['init'], hosts[0]!, { repository: place.repository, running })
    expect(code).toBe(0)
  }

  /** Lets some actors work at once, and looks at what they leave. */
  async batch(): Promise<void> {
    const weights = Object.fromEntries(Object.entries(VERBS).map(([name, { weight }]) => [name, weight]))
    const script = writeScript(this.#dice, weights as Record<VerbName, number>, this.#steps + 1)
    this.#steps += script.flat().length
    const told: string[] = []
    const faults: string[] = []
    const startMs = performance.now()
    const actors = script.map(async (steps) => {
      for (const step of steps) faults.push(...(await this.#act(step, told, startMs)))
    })
    await Promise.all(actors)
    this.#batches++
    const readData = this.#dice(4) === 0 ? 'all' : undefined
    faults.push(...(await this.#look(readData, RESTORES).catch((error: Error) => [`${error.stack}`])))
    if (this.#dice(3) === 0) letTimePass(this.#world, (1 + this.#dice(30)) * HOUR_MS)
    if (faults.length > 0) console.log([`batch ${this.#batches} (seed ${SEED}):`, ...told].join('\n  '))
    expect(faults).toEqual([])
  }

  /** A day after all is quiet, nothing is left that is of no use, and every snapshot is restored as it should. */
  async end(): Promise<void> {
    const world = this.#world
    letTimePass(world, 25 * HOUR_MS)
    {
      await using repository = await this.#open()
      await setParity(repository, 5)
      // What was condemned and is needed again may have been copied by then: the second prune frees what is there twice.
      for (let rounds = 1, left = 1; left > 0; rounds++) {
        left = filesIn(world, 'condemned').length
        const { plan } = await prune(repository, { ...EVERYTHING, graceMs: 0 })
        left += plan.remove.length + plan.rewrite.length
        expect(rounds).toBeLessThanOrEqual(4)
        letTimePass(world, 25 * HOUR_MS)
      }
      const { problems, notes } = await check(repository, { readData: 'all' })
      expect({ problems, notes: notes.filter(({ type }) => type !== 'misdated') }).toEqual({ problems: [], notes: [] })
    }
    expect(await this.#look('all', Number.POSITIVE_INFINITY)).toEqual([])
    for (const folder of ['tmp', 'locks', 'condemned', 'index-copies'])
      expect([folder, ...filesIn(world, folder)]).toEqual([folder])
  }

  report(): string {
    const lines = [...this.#counts].map(
      ([name, { runs, done, refused, killed, slept }]) =>
        `${name.padEnd(28)}${runs} runs: ${done} done, ${refused} refused, ${killed} killed or interrupted, ${slept} slept`,
    )
    const { ms, verb } = this.#slowest
    return [
      `stress (seed ${SEED}): ${this.#batches} batches, ${this.#restored} snapshots restored and compared afterwards`,
      ...lines.sort(),
      `the slowest took ${(ms / 1000).toFixed(1)} s: ${verb}`,
    ].join('\n  ')
  }

  async #act(step: Step<VerbName>, told: string[], startMs: number): Promise<readonly string[]> {
    const { number, verb, cut } = step
    const world = this.#world
    if (step.dice(8) === 0) letTimePass(world, (1 + step.dice(30)) * HOUR_MS)
    const act = VERBS[verb].begin(world, step)
    if (!act) return []
    const host = world.hosts[step.host]!
    const beganMs = performance.now()
    const outcome = await runProgram(act.argv, host, {
      repository: world.place.repository,
      running: world.running,
      cut,
      onSleep: (pid) => neglectLock(world, pid, STALE_MS),
    })
    const faults = [...(act.end?.(outcome) ?? []), ...faultsIn(outcome, act)]
    this.#count(verb, outcome)
    const name = `step ${number}, ${act.argv.join(' ')} (${host.name})`
    const times = `${(beganMs - startMs).toFixed(0)} to ${(performance.now() - startMs).toFixed(0)} ms`
    const end = `${outcome.code ?? outcome.signal}${outcome.cut ? ` after ${outcome.cut}` : ''}`
    told.push([`${times}: ${name}: ${end}`, ...outcome.messages.map(({ text }) => `  ${text}`)].join('\n    '))
    return faults.map((fault) => `${name}: ${fault}`)
  }

  #count(verb: string, { code, signal, cut, ms }: Awaited<ReturnType<typeof runProgram>>): void {
    const count = this.#counts.get(verb) ?? { runs: 0, done: 0, refused: 0, killed: 0, slept: 0 }
    this.#counts.set(verb, count)
    count.runs++
    if (cut === 'SIGSTOP') count.slept++
    if (code === 0) count.done++
    else if (code === 130 || signal) count.killed++
    else count.refused++
    if (cut !== 'SIGSTOP' && ms > this.#slowest.ms) this.#slowest = { ms, verb }
  }

  /** Compares what is there with what must be, checks it, and restores some of the snapshots. */
  async #look(readData: 'all' | undefined, restores: number): Promise<string[]> {
    await using repository = await this.#open()
    const faults: string[] = []
    const snapshots = await listSnapshots(repository, {}, (id, { message }) => faults.push(`${id}: ${message}`))
    faults.push(...this.#world.model.settle(snapshots))
    const { problems } = await check(repository, { readData })
    faults.push(...problems.map(({ message }) => message))
    const chosen = Number.isFinite(restores)
      ? Array.from({ length: snapshots.length && restores }, () => snapshots[this.#dice(snapshots.length)]!)
      : snapshots
    for (const stored of chosen) faults.push(...(await this.#compare(repository, stored)))
    removeCopies(this.#world)
    return faults
  }

  async #compare(repository: Repository, { snapshot }: StoredSnapshot): Promise<string[]> {
    const backup = this.#world.model.ofTags(snapshot.tags)
    if (!backup) return [] // told already
    const target = join(this.#world.place.path, 'looked-at')
    await restore(repository, snapshot, { target, path: byteStringOf(backup.source) })
    const differences = compareTrees(backup.copy, target, { root: false })
    rmSync(target, { recursive: true })
    this.#restored++
    return differences
  }

  #open(): Promise<Repository> {
    const { place } = this.#world
    return openRepository(localBackend(place.repository), environmentOf(place, 'judge', Date.now))
  }
}
