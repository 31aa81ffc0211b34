import { objectIdAt } from '../base/ids.ts'
import { type ObjectHeader, openRecord, recordLength } from '../format/object.ts'
import { describeFailure } from './failure.ts'
import type { TaskFailure } from './tasks.ts'
import type { Tools } from './tools.ts'

/** Checks objects of a pack: header, checksum, decompression and id. */
export interface VerifyTask {
  /** Part of a pack, whose file is called `file`, beginning at `offset` of it. */
  readonly bytes: Uint8Array
  readonly file: string
  readonly offset: number
  readonly objects: readonly PackedObject[]
}

/** Where an object is, as index or trailer say. */
export interface PackedObject extends ObjectHeader {
  readonly id: Uint8Array
  /** Of the record in the pack. */
  readonly offset: number
}

export interface VerifyResult {
  readonly failures: readonly (TaskFailure & { readonly object: number })[]
}

export async function runVerify(task: VerifyTask, tools: Tools): Promise<VerifyResult> {
  const failures: (TaskFailure & { object: number })[] = []
  for (const [i, object] of task.objects.entries()) {
    const failure = openPacked(task, object, tools, () => {})
    if (failure) failures.push({ object: i, ...failure })
  }
  return { failures }
}

/** Opens one object and hands `use` a view of its plain bytes, valid during the call. Answers what was wrong, if anything. */
export function openPacked(
  { bytes, file, offset }: Pick<VerifyTask, 'bytes' | 'file' | 'offset'>,
  object: PackedObject,
  tools: Tools,
  use: (plain: Uint8Array) => void,
): TaskFailure | undefined {
  const start = object.offset - offset
  const buffer = tools.borrow(object.plainLength)
  try {
    const target = buffer.subarray(0, object.plainLength)
    const record = bytes.subarray(start, start + recordLength(object))
    use(openRecord(record, object.kind, objectIdAt(object.id), file, object.offset, target))
    return undefined
  } catch (error) {
    return describeFailure(error)
  } finally {
    tools.giveBack(buffer)
  }
}
