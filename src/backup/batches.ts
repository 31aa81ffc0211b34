/** What has been begun. Wrapped, since a promise of a promise is none. */
export interface Begun<B> {
  readonly result: Promise<B>
}

export function begun<B>(result: Promise<B>): Begun<B> {
  result.catch(() => {}) // reported when its turn comes, unless another ends the backup before
  return { result }
}

export interface BatchLimits<A> {
  readonly items: number
  readonly weight: number
  readonly weightOf: (item: A) => number
}

/** Collects items, to begin many of them in one go: once there are enough, or when `flush` is called. */
export class Batches<A, B> {
  readonly #limits: BatchLimits<A>
  readonly #begin: (items: readonly A[]) => Promise<Begun<readonly B[]>>
  #items: A[] = []
  #resolvers: ((result: Promise<B>) => void)[] = []
  #weight = 0

  /** `begin` answers when more may be begun; it must not reject, but what it began may. */
  constructor(limits: BatchLimits<A>, begin: (items: readonly A[]) => Promise<Begun<readonly B[]>>) {
    this.#limits = limits
    this.#begin = begin
  }

  /** Resolves when more may be added. */
  async add(item: A): Promise<Begun<B>> {
    const result = new Promise<B>((resolve) => this.#resolvers.push(resolve))
    this.#items.push(item)
    this.#weight += this.#limits.weightOf(item)
    if (this.#items.length >= this.#limits.items || this.#weight >= this.#limits.weight) await this.flush()
    return begun(result)
  }

  async flush(): Promise<void> {
    if (this.#items.length === 0) return
    const items = this.#items
    const resolvers = this.#resolvers
    this.#items = []
    this.#resolvers = []
    this.#weight = 0
    const { result } = await this.#begin(items)
    for (const [i, resolve] of resolvers.entries()) resolve(result.then((results) => results[i]!))
  }
}
