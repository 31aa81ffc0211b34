import { bufferView } from '../base/bytes.ts'
import { ID_BYTES, objectIdAt } from '../base/ids.ts'
import { hashObjects, openExpected, openRecord, recordLength } from '../format/object.ts'
import { batchEnds } from './batch.ts'
import { describeFailure } from './failure.ts'
import {
  countObjects,
  kindCodeAt,
  objectAt,
  type PackedObject,
  type PackedObjects,
  plainLengthAt,
} from './packed-objects.ts'
import type { TaskFailure } from './tasks.ts'
import type { Tools } from './tools.ts'

/** Checks objects of a pack: header, checksum, decompression and id. */
export interface VerifyTask {
  /** Part of a pack, whose file is called `file`, beginning at `offset` of it; lent until the task is done. */
  readonly bytes: Uint8Array
  readonly file: string
  readonly offset: number
  readonly objects: PackedObjects
}

export interface VerifyResult {
  readonly failures: readonly ObjectFailure[]
}

export type ObjectFailure = TaskFailure & { readonly object: number }

export async function runVerify(task: VerifyTask, tools: Tools): Promise<VerifyResult> {
  const failures: ObjectFailure[] = []
  for (const batch of openObjects(task, tools, true)) failures.push(...batch.failures)
  return { failures }
}

/** Objects of one kind that were opened together: the i-th is number `first + i` of the task's. */
export interface OpenedBatch {
  readonly first: number
  /** Their plain bytes, one behind the other, valid until the next batch is asked for; they end at `ends`. */
  readonly bytes: Uint8Array
  readonly ends: Uint32Array
  /** Those that could not be opened, and why: their bytes are undefined. */
  readonly failures: readonly ObjectFailure[]
}

/**
 * Opens objects of a pack, in order, several before their ids are computed, all at once. All that are not named as failures
 * have the right id. With `checksums` those of their records are right, too: for who reads to find damage.
 */
export function* openObjects(
  task: VerifyTask,
  tools: Tools,
  checksums: boolean,
): Generator<OpenedBatch, void, undefined> {
  const { objects } = task
  const count = countObjects(objects)
  const lengths = Array.from({ length: count }, (_, i) => plainLengthAt(objects, i))
  for (let first = 0; first < count; ) {
    const ends = batchEnds(lengths, first, (i) => kindCodeAt(objects, i) === kindCodeAt(objects, first))
    const buffer = tools.borrow(ends.at(-1)!)
    try {
      const bytes = buffer.subarray(0, ends.at(-1))
      yield { first, bytes, ends, failures: openBatch(task, first, bytes, ends, checksums) }
    } finally {
      tools.giveBack(buffer)
    }
    first += ends.length
  }
}

/** Fills `target` with the objects from `first` on that end at `ends`. Answers which are not right. */
function openBatch(
  { bytes, offset, file, objects }: VerifyTask,
  first: number,
  target: Buffer,
  ends: Uint32Array,
  checksums: boolean,
): ObjectFailure[] {
  const part = bufferView(bytes)
  const targetOf = (i: number): Buffer => target.subarray(ends[i - 1] ?? 0, ends[i])
  const isOpen = Array.from(ends, (_, i) => {
    const object = objectAt(objects, first + i)
    return openExpected(part, object.offset - offset, object, targetOf(i), checksums)
  })
  const ids = Buffer.from(hashObjects(objectAt(objects, first).kind, target, ends).buffer)
  const failures: ObjectFailure[] = []
  for (const [i, open] of isOpen.entries()) {
    const object = objectAt(objects, first + i)
    if (open && ids.compare(object.id, 0, ID_BYTES, i * ID_BYTES, (i + 1) * ID_BYTES) === 0) continue
    const failure = openAlone(part, offset, object, file, targetOf(i))
    if (failure) failures.push({ object: first + i, ...failure })
  }
  return failures
}

/** Opens an object for which that has failed. Answers what is wrong with it, if anything but what was said of it. */
function openAlone(
  part: Buffer,
  offset: number,
  object: PackedObject,
  file: string,
  target: Uint8Array,
): TaskFailure | undefined {
  const at = object.offset - offset
  try {
    openRecord(
      part.subarray(at, at + recordLength(object)),
      object.kind,
      objectIdAt(object.id),
      file,
      object.offset,
      target,
    )
    return undefined
  } catch (error) {
    return describeFailure(error)
  }
}
