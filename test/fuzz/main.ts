import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { type FuzzResult, fuzz, keep } from './loop.ts'

// npm run fuzz -- --seconds N --seed S: feeds every decoder for so long. Exits 1 where one fails, or does not come to an end.

const CORPUS = 'fixtures/corpus'
const HANGS_AFTER_MS = 20_000

if (isMainThread) {
  const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } })
  const seed = Number(values.seed ?? Date.now() % 1_000_000)
  process.exitCode = await watch({ seconds: Number(values.seconds ?? 60), seed })
} else {
  const onInput = (target: string, bytes: Buffer): void => parentPort!.postMessage({ target, bytes })
  parentPort!.postMessage({ result: await fuzz({ corpus: CORPUS, ...workerData, onInput }) })
}

/** Runs it in a thread, to see from outside whether it still moves. */
async function watch(options: { seconds: number; seed: number }): Promise<number> {
  const worker = new Worker(new URL(import.meta.url), { workerData: options })
  let last: { target: string; bytes: Uint8Array } | undefined
  return await new Promise((resolve, reject) => {
    const hang = (): void => {
      keep(join(CORPUS, last!.target), last!.bytes)
      console.log(`${last!.target} hangs: ${Buffer.from(last!.bytes).toString('hex')}`)
      void worker.terminate().then(() => resolve(1))
    }
    let timer = setTimeout(hang, HANGS_AFTER_MS)
    worker.on('error', reject)
    worker.on('message', (message: { target: string; bytes: Uint8Array } | { result: FuzzResult }) => {
      clearTimeout(timer)
      if ('result' in message) {
        resolve(tell(message.result, options.seed))
        return
      }
      last = message
      timer = setTimeout(hang, HANGS_AFTER_MS)
    })
  })
}

export function tell({ counts, failures }: FuzzResult, seed: number): number {
  for (const [target, { inputs, refused, kinds }] of Object.entries(counts))
    console.log(`${target.padEnd(18)}${inputs} inputs, ${refused} refused in ${kinds} ways`)
  const total = Object.values(counts).reduce((sum, { inputs }) => sum + inputs, 0)
  for (const failure of failures) console.log(`FAILED ${failure}`)
  console.log(`${total} inputs, ${failures.length} failures (seed ${seed})`)
  return failures.length > 0 ? 1 : 0
}
