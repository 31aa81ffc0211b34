import { Worker } from 'node:worker_threads'
import { Semaphore } from '../base/async.ts'
import { decodeError, type FromThread, type ToThread } from './messages.ts'
import { type Ask, runTask, type TaskName, type TaskTypes } from './tasks.ts'
import { createTools } from './tools.ts'

export interface PoolOptions {
  readonly threads: number
}

export interface RunOptions {
  /** How much work it is, in bytes of large files: decides when threads are worth starting. */
  readonly bytes: number
  /** Buffers of the task that change hands. */
  readonly transfer?: readonly ArrayBuffer[]
  /** Answers what the task asks while it runs. */
  readonly answer?: Ask
}

/**
 * Until this much work has come in, it is done on the calling thread. Starting a thread takes 50 ms of a processor, in which
 * 30 MiB are read, cut, hashed and half of them compressed: an hour's growth of a node then costs 0.39 s of CPU instead of 0.49.
 */
const INLINE_BYTES = 32 * 2 ** 20
/** While one task of a thread awaits an answer, the other works. */
const TASKS_PER_THREAD = 2

/** Runs tasks on threads of its own, which start when there is enough to do. */
export class WorkerPool implements AsyncDisposable {
  readonly #threads: number
  readonly #slots: Semaphore
  readonly #workers: Thread[] = []
  readonly #tools = createTools()
  #bytes = 0
  #closed = false

  constructor({ threads }: PoolOptions) {
    this.#threads = threads
    this.#slots = new Semaphore(threads * TASKS_PER_THREAD)
  }

  /** How many tasks are run at once; more wait for their turn. */
  get capacity(): number {
    return this.#threads * TASKS_PER_THREAD
  }

  run<Name extends TaskName>(
    name: Name,
    task: TaskTypes[Name]['task'],
    options: RunOptions,
  ): Promise<TaskTypes[Name]['result']> {
    return this.#slots.run(() => {
      if (this.#closed) return Promise.reject(new Error('the pool is closed'))
      this.#bytes += options.bytes
      if (this.#bytes <= INLINE_BYTES) return runTask(name, task, this.#tools, options.answer ?? noAnswer)
      return this.#leastBusy().run(name, task, options)
    })
  }

  /** Says that so much work will come: should it be worth threads, they start at once, to be there when it does. */
  expect(bytes: number): void {
    if (bytes <= INLINE_BYTES) return
    this.#bytes += bytes
    this.#startThreads()
  }

  #startThreads(): void {
    while (this.#workers.length < this.#threads) this.#workers.push(new Thread())
  }

  #leastBusy(): Thread {
    this.#startThreads()
    return this.#workers.reduce((least, thread) => (thread.busy < least.busy ? thread : least))
  }

  /** Stops the threads, whatever they are doing. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await Promise.all(this.#workers.splice(0).map((thread) => thread.stop()))
  }
}

const noAnswer: Ask = () => Promise.reject(new Error('nobody answers'))

interface RunningTask {
  readonly resolve: (result: never) => void
  readonly reject: (error: unknown) => void
  readonly answer: Ask
}

class Thread {
  readonly #worker: Worker
  readonly #running = new Map<number, RunningTask>()
  /** Why the thread has ended: what it is given afterwards would never be answered. */
  #ended: { error: unknown } | undefined
  #nextTask = 0

  constructor() {
    this.#worker = new Worker(threadScript())
    this.#worker.on('message', (message: FromThread) => this.#receive(message))
    this.#worker.on('error', (error) => this.#end(error))
    this.#worker.on('exit', (code) => this.#end(new Error(`a worker thread ended with code ${code}`)))
  }

  get busy(): number {
    return this.#running.size
  }

  run<Name extends TaskName>(
    name: Name,
    content: TaskTypes[Name]['task'],
    { transfer = [], answer = noAnswer }: RunOptions,
  ): Promise<TaskTypes[Name]['result']> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended.error)
      const task = this.#nextTask++
      this.#post({ type: 'task', task, name, content }, transfer)
      this.#running.set(task, { resolve, reject, answer })
    })
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  #receive(message: FromThread): void {
    const running = this.#running.get(message.task)
    if (!running) return
    if (message.type === 'question') {
      running.answer(message.content).then(
        (answer) => this.#post({ type: 'answer', question: message.question, answer }),
        (error: unknown) => {
          this.#running.delete(message.task)
          running.reject(error) // the real reason; the task itself only hears that there is none
          this.#post({ type: 'answer', question: message.question, error: true })
        },
      )
      return
    }
    this.#running.delete(message.task)
    if (message.type === 'done') running.resolve(message.result as never)
    else running.reject(decodeError(message.error))
  }

  #end(error: unknown): void {
    this.#ended ??= { error }
    for (const { reject } of this.#running.values()) reject(error)
    this.#running.clear()
  }

  #post(message: ToThread, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer)
  }
}

/** Threads run JavaScript, which Node 20 cannot make of the sources: what is built. */
function threadScript(): URL {
  return new URL('../../dist/worker/main.js', import.meta.url)
}
