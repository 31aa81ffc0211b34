import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { builtScript } from '../built.ts'
import { appendBlocks, type BlockFileJob, type BlockFileResult } from './block-files.ts'
import { type ChainstateJob, makeChainstate } from './chainstate.ts'
import { type DirectoryJob, makeDirectory } from './small-files.ts'

/** What can be made apart from everything else, so that threads share the work and the bytes stay the same. */
export type Job =
  | { readonly blocks: BlockFileJob }
  | { readonly chainstate: ChainstateJob }
  | { readonly directory: DirectoryJob }

export async function runJob(job: Job): Promise<BlockFileResult | undefined> {
  if ('blocks' in job) return appendBlocks(job.blocks)
  if ('chainstate' in job) await makeChainstate(job.chainstate)
  else makeDirectory(job.directory)
  return undefined
}

/** Runs them all on that many threads; with one, on the caller's. Resolves to the results of files of blocks, in order. */
export async function runJobs(
  jobs: readonly Job[],
  threads: number = availableParallelism(),
): Promise<BlockFileResult[]> {
  const results: (BlockFileResult | undefined)[] = []
  const queue = jobs.entries() // whoever is free takes the next
  const work = async (run: typeof runJob): Promise<void> => {
    for (const [i, job] of queue) results[i] = await run(job)
  }
  if (Math.min(threads, jobs.length) <= 1) await work(runJob)
  else await Promise.all(Array.from({ length: Math.min(threads, jobs.length) }, () => withThread(work)))
  return results.filter((result) => result !== undefined)
}

async function withThread(use: (run: typeof runJob) => Promise<void>): Promise<void> {
  const worker = new Worker(builtScript('node/thread.js'))
  try {
    await use(async (job) => {
      worker.postMessage(job)
      const [result] = await once(worker, 'message') // rejects on the thread's error
      return result
    })
  } finally {
    await worker.terminate()
  }
}
