import { Worker } from 'node:worker_threads'

/**
 * The value (structured clone) of `expression` in a new worker thread, in which `module` is what `dist-modules/<file>` exports: worker threads
 * of Node 20 cannot load TypeScript.
 */
export async function evaluateInWorker(file: string, expression: string): Promise<unknown> {
  const url = new URL(`../../dist-modules/${file}`, import.meta.url).href
  const source = `import(${JSON.stringify(url)}).then((module) => require('node:worker_threads').parentPort.postMessage(${expression}))`
  const worker = new Worker(source, { eval: true })
  try {
    return await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', () => reject(new Error('the worker ended without an answer')))
    })
  } finally {
    await worker.terminate()
  }
}
