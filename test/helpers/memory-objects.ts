import { type ObjectId, objectIdAt } from '../../src/base/ids.ts'
import { hashObject } from '../../src/format/object.ts'
import type { LoadObject, SaveObject } from '../../src/repository/lists.ts'

/** Metadata objects in memory, by kind and id. */
export interface MemoryObjects {
  readonly save: SaveObject
  readonly load: LoadObject
}

export function memoryObjects(): MemoryObjects {
  const objects = new Map<string, Uint8Array>()
  const keyOf = (kind: string, id: ObjectId): string => `${kind} ${id}`
  return {
    async save(kind, plain) {
      const id = objectIdAt(hashObject(kind, plain))
      objects.set(keyOf(kind, id), Uint8Array.from(plain))
      return id
    },
    async load(kind, id) {
      const plain = objects.get(keyOf(kind, id))
      if (!plain) throw new Error(`no ${keyOf(kind, id)}`)
      return plain
    },
  }
}
