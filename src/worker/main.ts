import { parentPort } from 'node:worker_threads'
import { encodeError, type FromThread, type ToThread } from './messages.ts'
import { runTask } from './tasks.ts'
import { createTools } from './tools.ts'

/** The script of a worker thread: runs tasks as they come, several at once where they await answers. */
const port = parentPort
if (!port) throw new Error('this is the script of a worker thread')
const tools = createTools()
const waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: unknown) => void }>()
let nextQuestion = 0

port.on('message', (message: ToThread) => {
  if (message.type === 'answer') {
    const question = waiting.get(message.question)
    waiting.delete(message.question)
    if ('error' in message) question?.reject(new Error('the answer failed'))
    else question?.resolve(message.answer)
    return
  }
  const { task } = message
  const ask = (content: unknown, transfer: readonly ArrayBuffer[] = []): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const question = nextQuestion++
      waiting.set(question, { resolve, reject })
      post({ type: 'question', task, question, content }, transfer)
    })
  runTask(message.name, message.content, tools, ask).then(
    (result) => post({ type: 'done', task, result }),
    (error: unknown) => post({ type: 'failed', task, error: encodeError(error) }),
  )
})

function post(message: FromThread, transfer: readonly ArrayBuffer[] = []): void {
  port!.postMessage(message, transfer)
}
