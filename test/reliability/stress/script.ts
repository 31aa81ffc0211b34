import { type Dice, makeDice } from '../../../bench/node/random.ts'

/** What one process is to do. */
export interface Step<Name extends string = string> {
  /** 1, 2, 3 … over the whole run. */
  readonly number: number
  readonly verb: Name
  readonly host: number
  /** Decides what it is done to. */
  readonly dice: Dice
  readonly cut: Cut | undefined
}

/** After so long something happens to the process: it is killed, interrupted, or sleeps for a while, as a laptop does. */
export type Cut =
  | { readonly afterMs: number; readonly signal: 'SIGKILL' | 'SIGINT' | 'SIGTERM' }
  | { readonly afterMs: number; readonly signal: 'SIGSTOP'; readonly forMs: number }

export const HOSTS = 3
const ACTORS = 4
const STEPS = 5
/** Most commands take less, if nobody else is at work. */
const LONG_MS = 1000

/** What each of some actors does, one step after another, while the others do theirs. The same dice, the same script. */
export function writeScript<Name extends string>(
  dice: Dice,
  weights: Readonly<Record<Name, number>>,
  firstNumber: number,
): Step<Name>[][] {
  const names = Object.keys(weights) as Name[]
  const hat = names.flatMap((name) => new Array<Name>(weights[name]).fill(name))
  let number = firstNumber
  const step = (): Step<Name> => ({
    number: number++,
    verb: hat[dice(hat.length)]!,
    host: dice(HOSTS),
    dice: makeDice(dice(2 ** 30)),
    cut: rollCut(dice),
  })
  return Array.from({ length: ACTORS }, () => Array.from({ length: STEPS }, step))
}

/** One in three comes to no good end. */
function rollCut(dice: Dice): Cut | undefined {
  const [fate, afterMs, forMs] = [dice(15), dice(LONG_MS), dice(LONG_MS)]
  if (fate < 2) return { afterMs, signal: 'SIGKILL' }
  if (fate < 3) return { afterMs, signal: dice(2) === 0 ? 'SIGINT' : 'SIGTERM' }
  if (fate < 5) return { afterMs, signal: 'SIGSTOP', forMs }
  return undefined
}
