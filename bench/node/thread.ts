/** The script of a thread of jobs.ts: answers every job with its result. An error ends it, and so reaches who asked. */
import { parentPort } from 'node:worker_threads'
import { type Job, runJob } from './jobs.ts'

parentPort!.on('message', async (job: Job) => parentPort!.postMessage(await runJob(job)))
