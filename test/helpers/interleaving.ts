import { setImmediate } from 'node:timers/promises'
import type { Backend, FileKind, UnnamedFile } from '../../src/backend/backend.ts'

const NEVER_CHANGED: ReadonlySet<FileKind> = new Set(['config', 'settings', 'reserve'])

/** Lets several actors take turns, one call of their backends at a time: so that every order of their calls can be tried. */
export class Turns {
  readonly #actors: Actor[] = []

  /** A backend that waits for its actor's turn before each call that others could see, or whose answer they could change. */
  backend(actor: number, backend: Backend): Backend {
    const wait = (): Promise<void> => this.#actors[actor]!.wait()
    const unnamed = async (file: UnnamedFile): Promise<UnnamedFile> => ({
      ...file,
      publish: async (name) => {
        await wait()
        await file.publish(name)
      },
    })
    return {
      ...backend,
      put: async (...file) => {
        await wait()
        await backend.put(...file)
      },
      putBriefly: async (...file) => {
        await wait()
        await backend.putBriefly(...file)
      },
      begin: async (kind) => {
        await wait()
        return await unnamed(await backend.begin(kind))
      },
      get: async (kind, ...rest) => {
        if (!NEVER_CHANGED.has(kind)) await wait()
        return await backend.get(kind, ...rest)
      },
      stat: async (kind, name) => {
        if (!NEVER_CHANGED.has(kind)) await wait()
        return await backend.stat(kind, name)
      },
      async *list(kind) {
        await wait()
        yield* backend.list(kind)
      },
      remove: async (...file) => {
        await wait()
        await backend.remove(...file)
      },
    }
  }

  /** Begins what an actor does. It comes to its first call, or to its end. */
  async start(act: () => Promise<unknown>): Promise<void> {
    const actor = new Actor()
    this.#actors.push(actor)
    await actor.start(act)
  }

  /** Lets an actor make so many calls, or all that are left; answers how many it has made. */
  async run(actor: number, calls: number = Number.POSITIVE_INFINITY): Promise<number> {
    let made = 0
    while (made < calls && (await this.#actors[actor]!.step())) made++
    return made
  }

  isDone(actor: number): boolean {
    return this.#actors[actor]!.outcome !== undefined
  }

  /** What became of an actor: why it failed, or nothing. */
  outcome(actor: number): unknown {
    const { outcome } = this.#actors[actor]!
    if (!outcome) throw new Error('it is still at it')
    return 'error' in outcome ? outcome.error : undefined
  }
}

class Actor {
  outcome: { readonly error?: unknown } | undefined
  readonly #waiting: (() => void)[] = []
  #comes: (() => void) | undefined

  /** Resolves when it has come to a call, or to its end. */
  start(act: () => Promise<unknown>): Promise<void> {
    const come = this.#come()
    act().then(
      () => this.#end({}),
      (error: unknown) => this.#end({ error }),
    )
    return come
  }

  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#comes?.()
    })
  }

  /** Lets one call be made; answers whether there was one. */
  async step(): Promise<boolean> {
    if (this.#waiting.length === 0) return false
    const come = this.#come()
    this.#waiting.shift()!()
    // Calls made at once: what follows from this one may be nothing but waiting for the others.
    await (this.#waiting.length > 0 ? setImmediate() : come)
    return true
  }

  /** When the next call waits, be it of another thread of work, or all is done. */
  async #come(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#comes = resolve
    })
    this.#comes = undefined
  }

  #end(outcome: { readonly error?: unknown }): void {
    this.outcome = outcome
    this.#comes?.()
  }
}
