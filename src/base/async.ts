/** Concurrency has one address: this file. Nothing else starts work that it does not await. */

/** Calls `fn` on up to `limit` items at once and yields the results in the order of the items. */
export async function* mapOrdered<A, B>(
  source: AsyncIterable<A> | Iterable<A>,
  limit: number,
  fn: (item: A) => Promise<B>,
): AsyncGenerator<B, void, undefined> {
  const running: Promise<B>[] = []
  try {
    for await (const item of source) {
      const result = fn(item)
      result.catch(() => {}) // reported when its turn comes
      running.push(result)
      if (running.length >= limit) yield await running.shift()!
    }
    while (running.length > 0) yield await running.shift()!
  } finally {
    await Promise.allSettled(running) // nothing outlives the loop
  }
}

/** Calls `fn` on every item, up to `limit` at once, in no particular order. Rejects with the first failure. */
export async function forEachLimited<A>(
  source: AsyncIterable<A> | Iterable<A>,
  limit: number,
  fn: (item: A) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>()
  let failure: { error: unknown } | undefined
  try {
    for await (const item of source) {
      if (failure) break
      const task: Promise<void> = fn(item)
        .catch((error: unknown) => {
          failure ??= { error }
        })
        .finally(() => running.delete(task))
      running.add(task)
      if (running.size >= limit) await Promise.race(running)
    }
  } finally {
    await Promise.all(running)
  }
  if (failure) throw failure.error
}

/** At most `limit` holders at once; waiters are served in order. */
export class Semaphore {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(limit: number) {
    this.#free = limit
  }

  async acquire(): Promise<void> {
    if (this.#free > 0) {
      this.#free--
      return
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  release(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free++
  }

  /** Runs `fn` as a holder. */
  async run<T>(fn: () => Promise<T>): Promise<T> {
    await this.acquire()
    try {
      return await fn()
    } finally {
      this.release()
    }
  }
}

/**
 * For work of several parts that give up together: once one has failed, `signal` is aborted, for the others to end soon, and
 * whatever comes of them, they reject with that first failure.
 */
export class SharedFate {
  /** Aborted with `outer`, too. */
  readonly signal: AbortSignal
  readonly #controller = new AbortController()
  #failure: { error: unknown } | undefined

  constructor(outer?: AbortSignal) {
    this.signal = outer ? AbortSignal.any([outer, this.#controller.signal]) : this.#controller.signal
  }

  async run<T>(part: () => Promise<T>): Promise<T> {
    try {
      return await part()
    } catch (error) {
      throw this.#fail(error)
    }
  }

  async *share<A>(part: AsyncIterable<A>): AsyncGenerator<A, void, undefined> {
    try {
      yield* part
    } catch (error) {
      throw this.#fail(error)
    }
  }

  #fail(error: unknown): unknown {
    this.#failure ??= { error }
    this.#controller.abort()
    return this.#failure.error
  }
}

/**
 * Pulls items ahead of the consumer, until they weigh `depth` together, so that what the source starts overlaps what the consumer
 * awaits.
 */
export async function* readAhead<A>(
  source: AsyncIterable<A>,
  depth: number,
  weigh: (item: A) => number = () => 1,
): AsyncGenerator<A, void, undefined> {
  const ready: A[] = []
  let weight = 0
  let done = false
  let stopped = false
  let failure: { error: unknown } | undefined
  let wakeConsumer = (): void => {}
  let wakeProducer = (): void => {}
  const produce = async (): Promise<void> => {
    try {
      for await (const item of source) {
        ready.push(item)
        weight += weigh(item)
        wakeConsumer()
        if (weight >= depth && !stopped) await new Promise<void>((resolve) => (wakeProducer = resolve))
        if (stopped) return
      }
    } catch (error) {
      failure = { error }
    } finally {
      done = true
      wakeConsumer()
    }
  }
  const producer = produce()
  try {
    for (;;) {
      if (ready.length > 0) {
        const item = ready.shift()!
        weight -= weigh(item)
        if (weight < depth) wakeProducer()
        yield item
      } else if (done) break
      else await new Promise<void>((resolve) => (wakeConsumer = resolve))
    }
    if (failure) throw failure.error
  } finally {
    stopped = true
    wakeProducer()
    await producer
  }
}

/** Hands out one by one what comes many at a time, with a promise only where none is left. */
export class Unbatched<A> {
  readonly #batches: AsyncIterator<readonly A[], unknown>
  #batch: readonly A[] = []
  #at = 0

  constructor(batches: AsyncIterable<readonly A[]>) {
    this.#batches = batches[Symbol.asyncIterator]()
  }

  /** The next one, if it has come already. */
  take(): A | undefined {
    return this.#at < this.#batch.length ? this.#batch[this.#at++] : undefined
  }

  /** The next one; undefined at the end. */
  async wait(): Promise<A | undefined> {
    while (this.#at === this.#batch.length) {
      const next = await this.#batches.next()
      if (next.done) return undefined
      this.#batch = next.value
      this.#at = 0
    }
    return this.take()
  }

  /** Tells the source that no more is wanted. */
  async stop(): Promise<void> {
    await this.#batches.return?.()
  }
}
