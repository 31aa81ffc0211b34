import { displayBytes } from '../base/bytes.ts'
import { ChainkeepError, isCode } from '../base/errors.ts'
import { type ObjectId, type PackId, parseSnapshotId, type SnapshotId, shortId } from '../base/ids.ts'
import type { Progress } from '../base/progress.ts'
import { isDamage } from '../repository/damage.ts'
import { OrdinalSet } from '../repository/ordinal-set.ts'
import { markReachable, type ReferenceProblem } from '../repository/reachability.ts'
import type { Repository } from '../repository/repository.ts'
import { loadSnapshot, SNAPSHOT_NAME } from '../repository/snapshots.ts'
import { UsageCounter } from './pack-usage.ts'

export interface NeededOptions {
  /** Do as if these snapshots were not there. */
  readonly without?: ReadonlySet<SnapshotId>
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

/** What the snapshots need, as far as they were looked at. Memory: one bit for each object, and 100 bytes for each pack and snapshot. */
export class NeededObjects {
  readonly #repository: Repository
  readonly #options: NeededOptions
  /** And their trees. */
  readonly #snapshots = new Map<SnapshotId, ObjectId>()
  readonly #condemned = new Set<PackId>()
  #marks = new OrdinalSet(0)
  #usage = new UsageCounter()

  constructor(repository: Repository, options: NeededOptions) {
    this.#repository = repository
    this.#options = options
  }

  /** The ordinals of what is needed: of several copies, the one that stays. */
  get marks(): OrdinalSet {
    return this.#marks
  }

  /** How much of each pack that is. */
  get usage(): UsageCounter {
    return this.#usage
  }

  /** Whether something that is needed was found in a pack that was condemned by then, and nowhere else. */
  isIn(pack: PackId): boolean {
    return this.#condemned.has(pack)
  }

  /** What is needed of a pack has been copied into another. */
  forgetPack(pack: PackId): void {
    this.#condemned.delete(pack)
  }

  /** Those that were looked at. */
  get snapshots(): readonly SnapshotId[] {
    return [...this.#snapshots.keys()]
  }

  /** Of those: all that they need was found. */
  get trees(): readonly ObjectId[] {
    return [...this.#snapshots.values()]
  }

  /**
   * Looks at those snapshots that were not there when it was last called. Rejects CORRUPT if one cannot be read, or what it
   * needs is missing or damaged: then nobody knows what may go.
   */
  async update(): Promise<void> {
    const roots = await this.#newRoots()
    if (roots.length === 0) return
    const index = await this.#repository.index()
    await index.refresh() // after the snapshots were listed: what they need was there before them
    let problems = await this.#mark(roots)
    if (problems.some(({ type }) => type === 'missing')) {
      await index.rebuild() // an entry may be missing in the index alone
      this.#snapshots.clear() // what is marked is not looked at again: from the beginning
      this.#marks = new OrdinalSet(index.ordinalLimit)
      this.#usage = new UsageCounter()
      problems = await this.#mark(await this.#newRoots())
    }
    throwFirst(problems)
  }

  async #newRoots(): Promise<ObjectId[]> {
    const roots: ObjectId[] = []
    for await (const name of this.#repository.backend.list('snapshots')) {
      if (!SNAPSHOT_NAME.test(name)) continue
      const id = parseSnapshotId(name)
      if (this.#snapshots.has(id) || this.#options.without?.has(id)) continue
      const tree = await this.#treeOf(id)
      if (!tree) continue
      roots.push(tree)
      this.#snapshots.set(id, tree)
    }
    return roots
  }

  /** Nothing for one that was forgotten meanwhile. */
  async #treeOf(id: SnapshotId): Promise<ObjectId | undefined> {
    try {
      return (await loadSnapshot(this.#repository, id)).tree
    } catch (error) {
      if (isCode(error, 'NOT_FOUND')) return undefined
      if (!isCode(error, 'BAD_FORMAT', 'CORRUPT', 'TRUNCATED', 'UNSUPPORTED')) throw error
      const advice = `"chainkeep forget ${shortId(id)}" removes it`
      const reason = `what snapshot ${id} needs is not known, since it cannot be read (${error.message}); ${advice}`
      throw new ChainkeepError('CORRUPT', reason, { id }, error)
    }
  }

  /** The first problem of each type is enough to refuse. */
  async #mark(roots: readonly ObjectId[]): Promise<ReferenceProblem[]> {
    const index = await this.#repository.index()
    const problems: ReferenceProblem[] = []
    this.#marks = await markReachable(this.#repository, roots, {
      marks: this.#marks,
      onMark: (_, location) => {
        this.#usage.add(location)
        if (index.isCondemned(location.pack)) this.#condemned.add(location.pack)
      },
      onProblem: (problem) => {
        if (!problems.some(({ type }) => type === problem.type)) problems.push(problem)
      },
      progress: this.#options.progress,
      signal: this.#options.signal,
    })
    return problems
  }
}

function throwFirst([problem]: readonly ReferenceProblem[]): void {
  if (problem?.type === 'missing') {
    const { kind, id, path } = problem.reference
    throw refusal(`${kind} ${id} is missing, which ${displayBytes(path)} needs`)
  }
  if (problem) throw isDamage(problem.error) ? refusal(problem.error.message, problem.error) : problem.error
}

export function refusal(why: string, cause?: unknown): ChainkeepError {
  const advice = 'nothing is removed from a damaged repository: run "chainkeep check", then "chainkeep repair"'
  return new ChainkeepError('CORRUPT', `${why}; ${advice}`, {}, cause)
}
