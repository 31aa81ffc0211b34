import type { ByteString } from '../base/bytes.ts'
import type { ObjectId, PackId, SnapshotId } from '../base/ids.ts'
import type { ObjectKind } from '../format/object.ts'
import type { PackClass } from '../format/pack.ts'

/** Damage that `check` has found. `message` is the sentence for people; it names the file, unless that is gone. */
export type Problem = { readonly message: string } & (
  | { readonly type: 'snapshot-unreadable'; readonly id: SnapshotId }
  /** The pack is not as long as it was written: cut off, or something appended. */
  | {
      readonly type: 'pack-length'
      readonly packClass: PackClass
      readonly id: PackId
      readonly bytes: number
      readonly expectedBytes: number
    }
  /** Header, footer or trailer cannot be read, or are those of another pack. */
  | { readonly type: 'pack-unreadable'; readonly packClass: PackClass; readonly id: PackId }
  /** Its file has vanished, with so many objects that snapshots need. Each of them is another problem, `object-missing`. */
  | { readonly type: 'pack-missing'; readonly packClass: PackClass; readonly id: PackId; readonly objects: number }
  /** The parity of a pack: `repair packs` writes it again. */
  | { readonly type: 'parity-damaged'; readonly packClass: PackClass; readonly id: PackId }
  /** What writers are to do is not known. */
  | { readonly type: 'settings-damaged' }
  /** A snapshot needs it, and no readable pack has it. */
  | { readonly type: 'object-missing'; readonly kind: ObjectKind; readonly id: ObjectId; readonly path: ByteString }
  /** Its stored bytes are damaged: `repair packs` saves the others of the pack. */
  | ({ readonly type: 'object-corrupt' } & PackedObjectName)
  /** Its stored bytes are as they were written, and yet not what refers to it says: `repair snapshots` leaves it out. */
  | ({ readonly type: 'object-invalid'; readonly path: ByteString } & PackedObjectName)
)

interface PackedObjectName {
  readonly kind: ObjectKind
  readonly id: ObjectId
  readonly packClass: PackClass
  readonly pack: PackId
  readonly offset: number
}

/** What `check` has found and is no damage. */
export type Note =
  /** The index said something else of so many packs than their trailers: it was built again. */
  | { readonly type: 'index-rebuilt'; readonly packs: number; readonly message: string }
  /** Something is missing, and packs that this machine has seen in the repository are gone: it may have been in them. */
  | { readonly type: 'packs-gone'; readonly packs: readonly PackId[]; readonly message: string }
  /** Dated in the future, or before what they were made after: a clock was wrong. */
  | { readonly type: 'misdated'; readonly snapshots: readonly SnapshotId[]; readonly message: string }
  /** Files in `tmp/` that nobody is writing: `prune` removes them. */
  | { readonly type: 'leftovers'; readonly files: number; readonly message: string }
  /** What no snapshot needs: `prune` frees it. */
  | { readonly type: 'unused'; readonly packs: number; readonly bytes: number; readonly message: string }
  /** Packs that have less parity than the settings want. */
  | { readonly type: 'parity-missing'; readonly packs: readonly PackId[]; readonly message: string }
  /** Of a damaged pack that has parity: how many of its blocks are damaged, and whether they can be computed. */
  | {
      readonly type: 'parity-heals'
      readonly packClass: PackClass
      readonly pack: PackId
      readonly blocks: number
      readonly canHeal: boolean
      readonly message: string
    }
