import { Semaphore } from '../base/async.ts'

/**
 * Memory that all threads see, for bytes on their way to them: lent to at most `limit` users at once, and again to others after
 * them, since fresh memory costs as much as reading into it. Each buffer has at least `bytes`, none touched before its use.
 */
export class SharedBuffers {
  readonly #slots: Semaphore
  readonly #bytes: number
  readonly #free: Uint8Array[] = []

  constructor(limit: number, bytes: number) {
    this.#slots = new Semaphore(limit)
    this.#bytes = bytes
  }

  /** Lends at least `length` bytes for the time of `use`, as soon as there are some. What is in them is undefined. */
  lend<T>(length: number, use: (buffer: Uint8Array) => Promise<T>): Promise<T> {
    return this.#slots.run(async () => {
      const free = this.#free.pop()
      const isEnough = free !== undefined && free.length >= length
      const buffer = isEnough ? free : new Uint8Array(new SharedArrayBuffer(Math.max(length, this.#bytes)))
      try {
        return await use(buffer)
      } finally {
        this.#free.push(buffer)
      }
    })
  }
}
