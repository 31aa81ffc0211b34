import type { Progress } from '../base/progress.ts'
import type { IndexedPack } from '../repository/object-index.ts'
import type { Repository } from '../repository/repository.ts'
import type { DamageFound } from './damage-found.ts'
import { type VerifyOptions, verifyPacks } from './verify-packs.ts'

/** Progress that is not told as long as `isBreak`: of what goes on beside something that takes longer. */
export const withBreaks =
  (progress: Progress | undefined, isBreak: () => boolean): Progress =>
  (state) => {
    if (!isBreak()) progress?.(state)
  }

export interface Reading extends AsyncDisposable {
  readonly isRunning: boolean
  /** When all is read: tells what was found. */
  finish(damage: DamageFound): Promise<{ packsRead: number; bytesRead: number }>
}

/** Begins to read packs, while the calling thread looks at what refers to what is in them. Stopped when it is disposed of. */
export function startReading(
  repository: Repository,
  packs: readonly IndexedPack[],
  { threads, progress, signal }: Pick<VerifyOptions, 'threads' | 'progress' | 'signal'>,
): Reading {
  const stop = new AbortController()
  let isRunning = packs.length > 0
  const found: ((damage: DamageFound) => void)[] = []
  const done = verifyPacks(repository, packs, {
    onDamagedPack: (pack, error) => found.push((damage) => damage.pack(pack, error)),
    onDamagedObject: (object) => found.push((damage) => damage.object(object)),
    threads,
    totalBytes: packs.reduce((sum, { bytes }) => sum + bytes, 0),
    progress,
    signal: AbortSignal.any([stop.signal, ...(signal ? [signal] : [])]),
  })
  const end = (): void => {
    isRunning = false
  }
  const over = done.then(end, end) // a failure is told when it is waited for
  return {
    get isRunning() {
      return isRunning
    },
    finish: async (damage) => {
      const counts = await done
      for (const tell of found) tell(damage)
      return counts
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await over
    },
  }
}
