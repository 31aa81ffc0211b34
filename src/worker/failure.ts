import { ChainkeepError, errnoOf, fileError } from '../base/errors.ts'
import type { TaskFailure } from './tasks.ts'

/** An error as data, for failures of single objects or files. Anything unexpected is thrown on. */
export function describeFailure(error: unknown, what = 'file call failed'): TaskFailure {
  if (error instanceof ChainkeepError) return { code: error.code, message: error.message }
  if (errnoOf(error) === undefined) throw error
  const { code, message } = fileError(what, error)
  return { code, message }
}
