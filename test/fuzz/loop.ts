import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ChainkeepError } from '../../src/base/errors.ts'
import { mutate, randomNumbers } from './mutate.ts'
import { TARGETS } from './targets.ts'

export interface FuzzOptions {
  /** A folder for each target, with inputs to begin with. What fails is put there. */
  readonly corpus: string
  readonly seed: number
  /** Stops after so many inputs a target, or after so much time in all. */
  readonly inputs?: number
  readonly seconds?: number
  /** Hears of each input before it is tried: if nothing follows, that one hangs. */
  readonly onInput?: (target: string, bytes: Buffer) => void
}

export interface FuzzResult {
  /** By target. */
  readonly counts: Readonly<
    Record<string, { readonly inputs: number; readonly refused: number; readonly kinds: number }>
  >
  /** `target: what happened: the input`. */
  readonly failures: readonly string[]
}

/** Of CPU, for any input. */
const MAX_MS = 2000
/** Taken for one input: an object may have 16 MiB. */
const MAX_BYTES = 64 * 2 ** 20
/** Inputs kept by what they led to. */
const MAX_KEPT = 300

/**
 * Feeds every target with its corpus and with what comes of that, changed. An input that is answered as none before, by the
 * error's text without its numbers, is kept and changed further: a poor man's coverage.
 */
export async function fuzz({ corpus, seed, inputs, seconds, onInput }: FuzzOptions): Promise<FuzzResult> {
  const random = randomNumbers(seed)
  const names = Object.keys(TARGETS)
  const failures: string[] = []
  const counts: Record<string, { inputs: number; refused: number; kinds: number }> = {}
  for (const name of names) {
    const { run, mend } = TARGETS[name]!
    const kept = readCorpus(join(corpus, name))
    const fresh = [...kept]
    const kinds = new Set<string>()
    const count = (counts[name] = { inputs: 0, refused: 0, kinds: 0 })
    const endMs = performance.now() + ((seconds ?? Number.POSITIVE_INFINITY) * 1000) / names.length
    while (count.inputs < (inputs ?? Number.POSITIVE_INFINITY) && performance.now() < endMs) {
      const mutated = fresh.pop() ?? mutate(kept[random(kept.length)]!, kept[random(kept.length)]!, random)
      const bytes = mend && random(2) ? mend(Buffer.from(mutated)) : mutated
      onInput?.(name, bytes)
      const { kind, failure } = await tryOne(run, bytes)
      count.inputs++
      if (kind !== 'accepted') count.refused++
      if (failure !== undefined) {
        failures.push(`${name}: ${failure}: ${bytes.subarray(0, 200).toString('hex')}`)
        keep(join(corpus, name), bytes)
      }
      if (kinds.has(kind) || kept.length >= MAX_KEPT) continue
      kinds.add(kind)
      kept.push(bytes)
    }
    count.kinds = kinds.size
  }
  return { counts, failures }
}

async function tryOne(run: (bytes: Buffer) => unknown, bytes: Buffer): Promise<{ kind: string; failure?: string }> {
  const before = process.memoryUsage()
  const spent = process.cpuUsage()
  let kind = 'accepted'
  let failure: string | undefined
  try {
    await run(Buffer.from(bytes))
  } catch (error) {
    if (error instanceof ChainkeepError) kind = `${error.code} ${error.message.replace(/[\da-f]+/g, '#')}`
    else failure = error instanceof Error ? `${error.stack}` : String(error)
  }
  const { user, system } = process.cpuUsage(spent)
  const after = process.memoryUsage()
  const taken = after.heapUsed + after.external - before.heapUsed - before.external
  if ((user + system) / 1000 > MAX_MS) failure = `took ${(user + system) / 1000} ms`
  if (taken > MAX_BYTES) failure = `took ${taken} bytes`
  return { kind, failure }
}

export function readCorpus(folder: string): Buffer[] {
  return readdirSync(folder)
    .sort()
    .map((name) => readFileSync(join(folder, name)))
}

export function keep(folder: string, bytes: Uint8Array): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 12)), bytes)
}
