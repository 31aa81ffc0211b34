import { ID_BYTES } from '../base/ids.ts'
import { KIND_CODES, type ObjectHeader, objectKindOf } from '../format/object.ts'

/** Where an object is, as index or trailer say. */
export interface PackedObject extends ObjectHeader {
  readonly id: Uint8Array
  /** Of the record in the pack. */
  readonly offset: number
}

/**
 * Many of them, in columns: thousands of small objects would take longer to cross to a thread than to be worked on there.
 * Nothing in here is believed.
 */
export interface PackedObjects {
  /** Packed. */
  readonly ids: Uint8Array
  /** Of each: code of its kind, codec, stored length, plain length, offset. */
  readonly fields: Float64Array
}

/** Numbers of an object in `fields`. */
const WIDTH = 5

/** Room for `count` objects, to be filled with `setObject`. */
export function createPackedObjects(count: number): PackedObjects {
  return { ids: new Uint8Array(count * ID_BYTES), fields: new Float64Array(count * WIDTH) }
}

export function packObjects(objects: readonly PackedObject[]): PackedObjects {
  const packed = createPackedObjects(objects.length)
  for (const [i, object] of objects.entries()) setObject(packed, i, object)
  return packed
}

export function setObject({ ids, fields }: PackedObjects, i: number, object: PackedObject): void {
  const { kind, codec, storedLength, plainLength, offset, id } = object
  ids.set(id, i * ID_BYTES)
  const at = i * WIDTH
  fields[at] = KIND_CODES[kind]
  fields[at + 1] = codec
  fields[at + 2] = storedLength
  fields[at + 3] = plainLength
  fields[at + 4] = offset
}

export const countObjects = ({ fields }: PackedObjects): number => fields.length / WIDTH
export const kindCodeAt = ({ fields }: PackedObjects, i: number): number => fields[i * WIDTH]!
export const plainLengthAt = ({ fields }: PackedObjects, i: number): number => fields[i * WIDTH + 3]!

/** The `i`-th object; its id is a view. Throws RangeError for a kind that there is not. */
export function objectAt({ ids, fields }: PackedObjects, i: number): PackedObject {
  const at = i * WIDTH
  const kind = objectKindOf(fields[at]!)
  if (!kind) throw new RangeError(`no kind of objects: ${fields[at]}`)
  const id = ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)
  return {
    kind,
    codec: fields[at + 1]!,
    storedLength: fields[at + 2]!,
    plainLength: fields[at + 3]!,
    offset: fields[at + 4]!,
    id,
  }
}
