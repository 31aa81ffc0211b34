import { ChainkeepError, type ErrorCode } from '../base/errors.ts'
import type { TaskName, TaskTypes } from './tasks.ts'

/** What the pool tells a thread. */
export type ToThread =
  | {
      readonly type: 'task'
      readonly task: number
      readonly name: TaskName
      readonly content: TaskTypes[TaskName]['task']
    }
  | { readonly type: 'answer'; readonly question: number; readonly answer: unknown }
  | { readonly type: 'answer'; readonly question: number; readonly error: true }

/** What a thread tells the pool. */
export type FromThread =
  | { readonly type: 'question'; readonly task: number; readonly question: number; readonly content: unknown }
  | { readonly type: 'done'; readonly task: number; readonly result: TaskTypes[TaskName]['result'] }
  | { readonly type: 'failed'; readonly task: number; readonly error: EncodedError }

/** An error of ours as plain data: classes do not survive the way between threads. */
export interface EncodedError {
  readonly code: ErrorCode | undefined
  readonly message: string
  readonly stack: string | undefined
}

export function encodeError(error: unknown): EncodedError {
  if (error instanceof ChainkeepError) return { code: error.code, message: error.message, stack: error.stack }
  if (error instanceof Error) return { code: undefined, message: error.message, stack: error.stack }
  return { code: undefined, message: String(error), stack: undefined }
}

export function decodeError({ code, message, stack }: EncodedError): Error {
  const error = code ? new ChainkeepError(code, message) : new Error(message)
  if (stack) error.stack = stack
  return error
}
