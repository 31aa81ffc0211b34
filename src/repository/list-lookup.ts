import { ID_BYTES, idBytes, objectIdAt } from '../base/ids.ts'
import type { List } from '../format/list.ts'
import type { Content } from '../format/node.ts'
import { type LoadObject, loadList } from './lists.ts'

/** A chunk of a file, and where it is there. */
export interface PlacedChunk {
  readonly id: Uint8Array
  readonly offset: number
  readonly length: number
}

/** Finds single chunks of a file of `size` bytes, which must not be 0. Memory: the lists that were looked into. */
export class ListLookup {
  readonly size: number
  readonly #load: LoadObject
  readonly #content: Content
  readonly #lists = new Map<string, List>()

  constructor(load: LoadObject, content: Content, size: number) {
    this.#load = load
    this.#content = content
    this.size = size
  }

  /** The chunk that byte `at` is in. Rejects what `load` does, and CORRUPT when the lists do not add up. */
  async chunkAt(at: number): Promise<PlacedChunk> {
    if (!(at >= 0 && at < this.size)) throw new RangeError(`no byte ${at} of ${this.size}`)
    let { height, id } = this.#content
    let offset = 0
    let length = this.size
    for (; height > 0; height--) {
      const list = await this.#list({ height, id }, length)
      let i = 0
      while (offset + list.lengths[i]! <= at) offset += list.lengths[i++]!
      length = list.lengths[i]!
      id = objectIdAt(list.ids, i * ID_BYTES)
    }
    return { id: idBytes(id), offset, length }
  }

  async #list(content: Content, length: number): Promise<List> {
    const key = `${content.id} ${content.height} ${length}`
    const list = this.#lists.get(key) ?? (await loadList(this.#load, content, length))
    this.#lists.set(key, list)
    return list
  }
}
