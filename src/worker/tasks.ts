import type { ErrorCode } from '../base/errors.ts'
import { type CompareResult, type CompareTask, runCompare } from './compare.ts'
import { type CutResult, type CutTask, runCut } from './cut.ts'
import { type ProtectResult, type ProtectTask, runProtect } from './protect.ts'
import type { Tools } from './tools.ts'
import { runVerify, type VerifyResult, type VerifyTask } from './verify.ts'
import { runWrite, type WriteResult, type WriteTask } from './write.ts'

/** Everything that threads do: bytes in, chunks out, or chunks in, bytes out. They hold no index and no repository. */
export interface TaskTypes {
  readonly cut: { readonly task: CutTask; readonly result: CutResult }
  readonly write: { readonly task: WriteTask; readonly result: WriteResult }
  readonly verify: { readonly task: VerifyTask; readonly result: VerifyResult }
  readonly compare: { readonly task: CompareTask; readonly result: CompareResult }
  readonly protect: { readonly task: ProtectTask; readonly result: ProtectResult }
}
export type TaskName = keyof TaskTypes

/** How a task asks whoever gave it, while it runs. `transfer` lists buffers that change hands. */
export type Ask = (question: unknown, transfer?: readonly ArrayBuffer[]) => Promise<unknown>

/** One thing that went wrong with one object or file, as plain data. */
export interface TaskFailure {
  readonly code: ErrorCode
  readonly message: string
}

/** Runs a task on this thread. */
export function runTask<Name extends TaskName>(
  name: Name,
  task: TaskTypes[Name]['task'],
  tools: Tools,
  ask: Ask,
): Promise<TaskTypes[Name]['result']> {
  const run = RUNNERS[name] as (
    task: TaskTypes[Name]['task'],
    tools: Tools,
    ask: Ask,
  ) => Promise<TaskTypes[Name]['result']>
  return run(task, tools, ask)
}

const RUNNERS: {
  readonly [Name in TaskName]: (
    task: TaskTypes[Name]['task'],
    tools: Tools,
    ask: Ask,
  ) => Promise<TaskTypes[Name]['result']>
} = {
  cut: runCut,
  write: runWrite,
  verify: runVerify,
  compare: runCompare,
  protect: runProtect,
}
