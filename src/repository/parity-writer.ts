import type { Backend } from '../backend/backend.ts'
import { Semaphore } from '../base/async.ts'
import type { PackName } from '../format/pack.ts'
import type { WorkerPool } from '../worker/pool.ts'
import { readSettings } from './settings.ts'

export interface ProtectOptions {
  /** Percents. Default: what the settings say, and nothing is done if that is 0. */
  readonly percent?: number
  /** Make sure before that every object in the pack is sound: for packs that were not written just now. */
  readonly verify?: boolean
}

/**
 * Writes parity beside packs that are durable (FORMAT.md §14), computed in a thread of its own from what it reads of them. Memory:
 * one pack and its parity.
 */
export class ParityWriter implements AsyncDisposable {
  readonly #backend: Backend
  readonly #turn = new Semaphore(1)
  #pool: WorkerPool | undefined

  constructor(backend: Backend) {
    this.#backend = backend
  }

  /** Replaces parity that is there. Returns its length. Rejects CORRUPT, BAD_FORMAT or TRUNCATED for a pack that is damaged, NOT_FOUND. */
  async protect(pack: PackName, { percent, verify = false }: ProtectOptions = {}): Promise<number> {
    const wanted = percent ?? (await readSettings(this.#backend)).parityPercent
    return wanted === 0 ? 0 : await this.#turn.run(() => this.#write(pack, wanted, verify))
  }

  async #write({ packClass, id }: PackName, percent: number, verify: boolean): Promise<number> {
    const bytes = await this.#backend.get(packClass, id)
    const transfer = bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : []
    const task = { bytes, packClass, id, percent, verify }
    this.#pool ??= new (await import('../worker/pool.ts')).WorkerPool({ threads: 1 }) // most commands never need it
    const { parts } = await this.#pool.run('protect', task, { bytes: bytes.length, transfer })
    await this.#backend.replace('parity', id, parts)
    return parts.reduce((sum, part) => sum + part.length, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.[Symbol.asyncDispose]()
  }
}
