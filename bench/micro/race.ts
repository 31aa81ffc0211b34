export interface RaceOptions {
  /** How often each is measured; the best counts. */
  readonly rounds: number
  /** How long one measurement is at least, in milliseconds. */
  readonly leastMs: number
  /** A clock in milliseconds. */
  readonly now?: () => number
}

/**
 * What each does in a second, at its best: `run` does it once and returns how much that was, bytes or operations. They take
 * turns, so that what else the machine does hits all alike.
 */
export async function race<T>(
  implementations: Readonly<Record<string, T>>,
  run: (implementation: T) => number | Promise<number>,
  { rounds, leastMs, now = () => performance.now() }: RaceOptions,
): Promise<Record<string, number>> {
  const best: Record<string, number> = {}
  for (let round = 0; round < rounds; round++) {
    for (const [name, implementation] of Object.entries(implementations)) {
      let done = 0
      let spentMs = 0
      const start = now()
      do {
        done += await run(implementation)
        spentMs = now() - start
      } while (spentMs < leastMs)
      best[name] = Math.max(best[name] ?? 0, (done * 1000) / spentMs)
    }
  }
  return best
}
