import { ChainkeepError } from './errors.ts'

/** Length in bytes of every id (FORMAT.md §1). */
export const ID_BYTES = 32

declare const kind: unique symbol
/** 64 lower-case hex digits. Bulk code keeps ids packed instead: a `Uint8Array` of n × 32 bytes, called `ids`. */
type Id<Kind extends string> = string & { readonly [kind]: Kind }
/** Of a chunk, a list, a tree or an attribute set: a thing stored in a pack. Always used together with its kind. */
export type ObjectId = Id<'object'>
export type PackId = Id<'pack'>
export type SnapshotId = Id<'snapshot'>

/** Accepts exactly 64 lower-case hex digits; anything else throws BAD_ID. */
export const parseObjectId = (text: string): ObjectId => parse(text) as ObjectId
export const parsePackId = (text: string): PackId => parse(text) as PackId
export const parseSnapshotId = (text: string): SnapshotId => parse(text) as SnapshotId

/** The id at 32 bytes from `offset`. */
export const objectIdAt = (bytes: Uint8Array, offset = 0): ObjectId => hexAt(bytes, offset) as ObjectId
export const packIdAt = (bytes: Uint8Array, offset = 0): PackId => hexAt(bytes, offset) as PackId
export const snapshotIdAt = (bytes: Uint8Array, offset = 0): SnapshotId => hexAt(bytes, offset) as SnapshotId

/** The 32 bytes of an id. The caller owns the result. */
export function idBytes(id: ObjectId | PackId | SnapshotId): Uint8Array {
  return Buffer.from(id, 'hex')
}

/** The first eight digits, for people. */
export const shortId = (id: string): string => id.slice(0, 8)

function parse(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new ChainkeepError('BAD_ID', `not an id: ${JSON.stringify(text)}`, { text })
  return text
}

function hexAt(bytes: Uint8Array, offset: number): string {
  if (offset < 0 || offset + ID_BYTES > bytes.length)
    throw new RangeError(`no id at offset ${offset} of ${bytes.length}`)
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, ID_BYTES).toString('hex')
}
