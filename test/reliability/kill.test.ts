import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Dice, makeDice } from '../../bench/node/random.ts'
import { localBackend } from '../../src/backend/local.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import type { ObjectId } from '../../src/base/ids.ts'
import { check } from '../../src/maintain/check.ts'
import { prune } from '../../src/maintain/prune.ts'
import { openRepository, type Repository } from '../../src/repository/repository.ts'
import { listSnapshots, type StoredSnapshot } from '../../src/repository/snapshots.ts'
import { restore } from '../../src/restore/restorer.ts'
import { compareTrees } from '../helpers/compare-trees.ts'
import { isComplete, ROUNDS, SEED } from './form.ts'
import { makePlace, type Place } from './place.ts'
import { environmentOf } from './recording.ts'
import { churn } from './source.ts'
import { EVERYTHING } from './story.ts'

const SHORT_MS = 6000
const SOURCE_MIB = isComplete ? 96 : 16

const DAY_MS = 86_400_000

const binary = new URL('../../dist/cli/bin.js', import.meta.url).pathname

interface Verb {
  readonly argv: (place: Place, dice: Dice) => readonly string[]
  /** How often it comes, beside the others. */
  readonly weight: number
  readonly changesSource?: boolean
  /** Only so many of the latest snapshots must be there afterwards, or soon. */
  readonly keeps?: number
}

const VERBS: Readonly<Record<string, Verb>> = {
  backup: { argv: ({ source }) => ['backup', source], weight: 6, changesSource: true },
  'backup --type full': { argv: ({ source }) => ['backup', '--type', 'full', source], weight: 1, changesSource: true },
  restore: { argv: ({ source, target }) => ['restore', `latest:${source}`, '--target', target, '--delete'], weight: 3 },
  forget: { argv: () => ['forget', '--keep-last', '3'], weight: 1, keeps: 3 },
  'forget --prune': { argv: () => ['forget', '--keep-last', '3', '--prune', '--max-unused', '0'], weight: 2, keeps: 3 },
  prune: { argv: () => ['prune', '--max-unused', '0'], weight: 3 },
  tag: { argv: (_, dice) => ['tag', '--set', `tag-${dice(1000)}`, 'latest'], weight: 1 },
  'repair index': { argv: () => ['repair', 'index'], weight: 1 },
  'repair packs': { argv: () => ['repair', 'packs'], weight: 1 },
  'repair snapshots': { argv: () => ['repair', 'snapshots', '--forget'], weight: 1 },
}

test('killed at any moment, no process loses anything', { timeout: 3_600_000 * 4 }, async () => {
  await using place = makePlace()
  const it = new Killing(place, makeDice(SEED))
  await it.begin()
  const startMs = performance.now()
  let rounds = 0
  while (isComplete ? rounds < ROUNDS : performance.now() - startMs < SHORT_MS) await it.round(++rounds)
  await it.end()
  const counts = [...it.kills].map(([name, { killed, runs }]) => `${name}: ${killed} of ${runs}`)
  console.log([`killed (seed ${SEED}), of runs that were to be:`, ...counts.sort()].join('\n  '))
})

/** A repository in which hardly anything comes to its end. */
class Killing {
  readonly kills = new Map<string, { killed: number; runs: number }>()
  readonly #place: Place
  readonly #dice: Dice
  /** By their root trees: copies of what the snapshots must be restored to. */
  readonly #copies = new Map<ObjectId, string>()
  /** Root trees of snapshots that must be there, oldest first; twice if a backup was killed after it was done, and run again. */
  #required: readonly ObjectId[] = []
  /** How long each verb takes if it is left alone, in ms. */
  readonly #durations = new Map<string, number>()
  /** The source as it was when it was last backed up, or begun to be. */
  #copy = ''

  constructor(place: Place, dice: Dice) {
    this.#place = place
    this.#dice = dice
  }

  async begin(): Promise<void> {
    for (let i = 0; i < 8; i++) churn(this.#place.source, this.#dice, SOURCE_MIB)
    await this.#succeed('init', ['init'])
    this.#keepCopy()
    await this.#succeed('backup', VERBS.backup!.argv(this.#place, this.#dice))
    await this.#look('the first backup')
  }

  /** Runs one verb and kills it, looks at what is left, and runs it again, to its end or not. */
  async round(number: number): Promise<void> {
    const [name, verb] = this.#choose()
    const what = `round ${number}: ${name}`
    if (verb.changesSource) {
      churn(this.#place.source, this.#dice, SOURCE_MIB)
      this.#keepCopy()
    }
    const argv = verb.argv(this.#place, this.#dice)
    const count = this.kills.get(name) ?? { killed: 0, runs: 0 }
    this.kills.set(name, count)
    for (let runs = 1 + this.#dice(2); runs > 0; runs--) {
      const wholeMs = this.#durations.get(name) ?? 1000
      count.runs++
      this.#permit(verb)
      if ((await this.#run(argv, this.#dice(Math.ceil(wholeMs * 1.1)))).signal === 'SIGKILL') count.killed++
      await this.#look(what)
    }
    if (name !== 'restore' && this.#dice(2) === 0) return
    this.#permit(verb)
    await this.#succeed(name, argv)
    await this.#look(what)
    if (name === 'restore')
      expect([what, compareTrees(this.#latest(), this.#place.target, { root: false })]).toEqual([what, []])
  }

  /** From here on those may be gone that the verb does not keep. */
  #permit({ keeps = Number.POSITIVE_INFINITY }: Verb): void {
    this.#required = this.#required.slice(-keeps)
  }

  /** A day later nothing is left that is of no use, and every snapshot is restored as it should. */
  async end(): Promise<void> {
    await this.#succeed('backup', VERBS.backup!.argv(this.#place, this.#dice))
    await this.#succeed('prune', VERBS.prune!.argv(this.#place, this.#dice))
    // What nobody is known to write stays for an hour, and notes of interrupted writers for the grace.
    for (const folder of ['tmp', 'locks']) ageFiles(join(this.#place.repository, folder), DAY_MS)
    await this.#succeed('prune', VERBS.prune!.argv(this.#place, this.#dice))
    await this.#look('the end', true)
    const left = (folder: string): string[] => [folder, ...namesIn(join(this.#place.repository, folder))]
    const folders = ['tmp', 'locks', 'condemned', 'index-copies']
    expect(folders.map(left)).toEqual(folders.map((folder) => [folder]))
    await using repository = await this.#open()
    expect((await prune(repository, { ...EVERYTHING, dryRun: true })).plan).toMatchObject({ remove: [], rewrite: [] })
  }

  #choose(): [string, Verb] {
    const verbs = Object.entries(VERBS).flatMap(([name, verb]) =>
      new Array<[string, Verb]>(verb.weight).fill([name, verb]),
    )
    return verbs[this.#dice(verbs.length)]!
  }

  #keepCopy(): void {
    this.#copy = this.#place.newCopy()
    execFileSync('cp', ['-a', '--reflink=auto', this.#place.source, this.#copy])
  }

  #latest(): string {
    return this.#copies.get(this.#required.at(-1)!)!
  }

  /** Runs the program, and kills it after so many milliseconds, if any. */
  async #run(
    argv: readonly string[],
    killMs?: number,
  ): Promise<{ code: number | null; signal: string | null; stderr: string }> {
    const { repository, cache } = this.#place
    const env = { ...process.env, CHAINKEEP_REPOSITORY: repository, CHAINKEEP_CACHE_DIR: cache }
    const child = spawn(process.execPath, [binary, ...argv], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    const timer = killMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killMs)
    let stderr = ''
    child.stderr.on('data', (text) => (stderr += text))
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    clearTimeout(timer)
    return { code, signal, stderr }
  }

  async #succeed(name: string, argv: readonly string[]): Promise<void> {
    const startMs = performance.now()
    const { code, stderr } = await this.#run(argv)
    expect([name, code, code === 0 ? '' : stderr]).toEqual([name, 0, ''])
    this.#durations.set(name, performance.now() - startMs)
  }

  #open(): Promise<Repository> {
    return openRepository(localBackend(this.#place.repository), environmentOf(this.#place, hostname(), Date.now))
  }

  /** Reads all data, and restores one snapshot, or all of them. Whatever there is must be whole, and stay. */
  async #look(what: string, all = false): Promise<void> {
    await using repository = await this.#open()
    const faults: string[] = []
    const snapshots = await listSnapshots(repository, {}, (id, { message }) => faults.push(`${id}: ${message}`))
    const { problems } = await check(repository, { readData: 'all' })
    faults.push(...problems.map(({ message }) => message))
    for (const { snapshot } of snapshots)
      if (!this.#copies.has(snapshot.tree)) this.#copies.set(snapshot.tree, this.#copy)
    const there = snapshots.map(({ snapshot }) => snapshot.tree)
    for (const tree of this.#required) if (!there.includes(tree)) faults.push(`the snapshot of tree ${tree} is lost`)
    this.#required = there
    const one = snapshots[this.#dice(snapshots.length)]!
    for (const stored of all ? snapshots : [one]) faults.push(...(await this.#compare(repository, stored)))
    expect([what, faults]).toEqual([what, []])
    this.#removeCopies()
  }

  async #compare(repository: Repository, { snapshot }: StoredSnapshot): Promise<string[]> {
    const target = join(this.#place.path, 'looked-at')
    await restore(repository, snapshot, { target, path: byteStringOf(this.#place.source) })
    const differences = compareTrees(this.#copies.get(snapshot.tree)!, target, { root: false })
    rmSync(target, { recursive: true })
    return differences
  }

  /** Those that nothing refers to any more. */
  #removeCopies(): void {
    for (const [tree, copy] of this.#copies) {
      if (this.#required.includes(tree)) continue
      this.#copies.delete(tree)
      if (copy !== this.#copy) rmSync(copy, { recursive: true })
    }
  }
}

const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : [])

/** As if so much time had gone by since the files of a folder were written. */
function ageFiles(folder: string, ms: number): void {
  const then = new Date(Date.now() - ms)
  for (const name of namesIn(folder)) utimesSync(join(folder, name), then, then)
}
