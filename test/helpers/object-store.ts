import { ChainkeepError } from '../../src/base/errors.ts'
import { type ObjectId, objectIdAt } from '../../src/base/ids.ts'
import { hashObject } from '../../src/format/object.ts'
import type { LoadObject, SaveObject } from '../../src/repository/lists.ts'

export interface ObjectStore {
  readonly save: SaveObject
  readonly load: LoadObject
  /** Plain bytes by kind and id. */
  readonly objects: Map<string, Uint8Array>
  /** How many objects were loaded. */
  readonly loads: number
}

/** Objects in memory, for lists and trees alone. */
export function objectStore(): ObjectStore {
  const objects = new Map<string, Uint8Array>()
  const store = {
    objects,
    loads: 0,
    save: async (kind: Parameters<SaveObject>[0], plain: Uint8Array): Promise<ObjectId> => {
      const id = objectIdAt(hashObject(kind, plain))
      objects.set(`${kind} ${id}`, Uint8Array.from(plain))
      return id
    },
    load: async (kind: Parameters<LoadObject>[0], id: ObjectId): Promise<Uint8Array> => {
      store.loads++
      const plain = objects.get(`${kind} ${id}`)
      if (!plain) throw new ChainkeepError('NOT_FOUND', `${kind} ${id} is not there`)
      return plain
    },
  }
  return store
}
