import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Cost, measure, outputOf, StepFailed, type Surroundings, sizeOf } from '../measure.ts'
import { STATE_FILE } from '../node/make.ts'
import type { Place, Tool, Verb } from './tools.ts'
import { touchFreeMemory, warm } from './warm.ts'

/** What one tool cost in one scenario, or why it failed. */
export type Sample = Measured | { readonly failure: string }

export interface Measured extends Cost {
  readonly growthBytes: number
  /** Of the repository, afterwards. */
  readonly repositoryBytes: number
}

/** What is to be in the page cache before. */
const READ_FIRST: Readonly<Record<Verb, readonly ('source' | 'repo' | 'target')[]>> = {
  first: ['source'],
  again: ['source'],
  check: ['repo'],
  checkData: ['repo'],
  restore: ['source', 'repo', 'target'],
  prune: ['repo'],
}

/** These take more of the machine's memory than is likely to be at hand. */
const WRITES_MUCH: ReadonlySet<Verb> = new Set(['first', 'restore'])

/** One tool's repository of one source, with a place for what it remembers and for what it restores. */
export class Workplace {
  readonly tool: Tool
  readonly source: string
  readonly #repo: string
  readonly #home: string
  readonly target: string
  #backups = 0

  private constructor(dir: string, tool: Tool, source: string) {
    this.tool = tool
    this.source = source
    this.#repo = join(dir, 'repository')
    this.#home = join(dir, 'home')
    this.target = join(dir, 'target')
  }

  /** In `dir`, which is created, with an empty repository. */
  static async create(dir: string, tool: Tool, source: string): Promise<Workplace> {
    const workplace = new Workplace(dir, tool, source)
    await mkdir(workplace.#home, { recursive: true })
    await workplace.emptyTarget()
    await measure(tool.init(workplace.#repo), workplace.#surroundings)
    return workplace
  }

  /** Backups that were made. */
  get backups(): number {
    return this.#backups
  }

  async emptyTarget(): Promise<void> {
    await rm(this.target, { recursive: true, force: true })
    await mkdir(this.target)
  }

  /** Runs what the tool does for `verb`, with everything written that was written before, and read what will be read. */
  async measure(verb: Verb): Promise<Measured> {
    const before = await sizeOf(this.#repo)
    for (const place of READ_FIRST[verb]) await warm(this.#place[place])
    spawnSync('sync') // or this step would pay for what the last one left in memory
    if (WRITES_MUCH.has(verb)) touchFreeMemory(2 * (await sizeOf(this.source)))
    const cost = await this.run(verb)
    const repositoryBytes = await sizeOf(this.#repo)
    return { ...cost, growthBytes: repositoryBytes - before, repositoryBytes }
  }

  /** The same as it comes. */
  async run(verb: Verb): Promise<Cost> {
    if (verb === 'first' || verb === 'again') this.#backups++
    return measure(this.tool.verbs[verb]!(this.#place), this.#surroundings)
  }

  /** How many there are, as the tool tells. */
  countSnapshots(): number {
    const text = outputOf(this.tool.snapshots!(this.#repo), this.#surroundings)
    const parsed: unknown = text.startsWith('[') ? JSON.parse(text) : text.split('\n').filter(Boolean)
    if (!Array.isArray(parsed)) throw new StepFailed(`no list of snapshots: ${text}`)
    return parsed.length
  }

  /** Where the source's directory was restored to. Tools differ in how much of its path they restore. */
  get restored(): string {
    const candidates = [this.target, join(this.target, basename(this.source)), join(this.target, this.source)]
    const found = candidates.find((candidate) => existsSync(join(candidate, STATE_FILE)))
    if (found === undefined) throw new StepFailed('nothing is restored there')
    return found
  }

  get #place(): Place {
    const { source, target } = this
    return { repo: this.#repo, source, target, backups: this.#backups, keep: this.#backups / 2 }
  }

  get #surroundings(): Surroundings {
    return { cwd: this.target, env: this.tool.env(this.#home) }
  }
}

export function failureOf(error: unknown): Sample {
  if (error instanceof StepFailed) return { failure: error.message }
  throw error
}

export const describeSample = (sample: Sample): string =>
  'failure' in sample ? `failed (${sample.failure})` : `${sample.wallSeconds.toFixed(2)} s`
