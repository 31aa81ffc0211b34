import { ID_BYTES, objectIdAt } from '../base/ids.ts'
import { contentChanged, hashObjects, type ObjectHeader, openRecordUnhashed, recordLength } from '../format/object.ts'
import { batchEnds } from './batch.ts'
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
  return { failures: openObjects(task, tools, () => {}) }
}

/**
 * Opens objects of a pack and hands `use` the number of each and a view of its plain bytes, valid during the call; in
 * order. Answers which could not be opened, and why. Several are opened before their ids are computed, all at once.
 */
export function openObjects(
  task: VerifyTask,
  tools: Tools,
  use: (object: number, plain: Uint8Array) => void,
): (TaskFailure & { object: number })[] {
  const failures: (TaskFailure & { object: number })[] = []
  const { objects } = task
  const lengths = objects.map(({ plainLength }) => plainLength)
  for (let first = 0; first < objects.length; ) {
    const ends = batchEnds(lengths, first, (i) => objects[i]!.kind === objects[first]!.kind)
    const buffer = tools.borrow(ends.at(-1)!)
    try {
      const outcomes = openBatch(task, objects.slice(first, first + ends.length), ends, buffer)
      for (const [i, failure] of outcomes.entries())
        if (failure) failures.push({ object: first + i, ...failure })
        else use(first + i, buffer.subarray(ends[i - 1] ?? 0, ends[i]))
    } finally {
      tools.giveBack(buffer)
    }
    first += ends.length
  }
  return failures
}

/** Opens objects of one kind into `buffer`, to end at `ends`. Answers for each what was wrong with it, if anything. */
function openBatch(
  { bytes, file, offset }: VerifyTask,
  objects: readonly PackedObject[],
  ends: Uint32Array,
  buffer: Buffer,
): (TaskFailure | undefined)[] {
  const failures = objects.map((object, i) => {
    const at = object.offset - offset
    const record = bytes.subarray(at, at + recordLength(object))
    const target = buffer.subarray(ends[i - 1] ?? 0, ends[i])
    try {
      openRecordUnhashed(record, object.kind, objectIdAt(object.id), file, object.offset, target)
      return undefined
    } catch (error) {
      return describeFailure(error)
    }
  })
  const ids = hashObjects(objects[0]!.kind, buffer, ends)
  return objects.map(({ kind, id, offset }, i) => {
    const actual = ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)
    if (failures[i] || Buffer.compare(actual, id) === 0) return failures[i]
    return describeFailure(contentChanged(kind, objectIdAt(id), objectIdAt(actual), file, offset))
  })
}
