import { ChainkeepError } from '../base/errors.ts'
import { ID_BYTES, idBytes, type ObjectId, objectIdAt } from '../base/ids.ts'
import { decodeList, encodeList, endsList, LIST_MAX_ENTRIES, type List } from '../format/list.ts'
import type { Content } from '../format/node.ts'
import type { MetadataKind, ObjectKind } from '../format/object.ts'

/** Loads an object, checked against its id: `Repository.load`. */
export type LoadObject = (kind: ObjectKind, id: ObjectId) => Promise<Uint8Array>
/** Stores a metadata object: `WriteSession.saveObject`. */
export type SaveObject = (kind: MetadataKind, plain: Uint8Array) => Promise<ObjectId>

/** Builds the lists of one file from its chunks, in order (FORMAT.md §6). Memory: one open list for each level. */
export class ListBuilder {
  readonly #save: SaveObject
  /** Level h holds entries of height h that are not in a list yet. */
  readonly #levels: Level[] = []
  #size = 0

  constructor(save: SaveObject) {
    this.#save = save
  }

  /** Appends chunks: n × 32 bytes of ids, and their lengths. Borrows both. */
  async add(ids: Uint8Array, lengths: ArrayLike<number>): Promise<void> {
    for (let i = 0; i < lengths.length; i++) {
      const level = this.#enter(0, ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES), lengths[i]!)
      if (endsLevel(level)) await this.#closeList(0)
    }
  }

  /**
   * Begins with the chunks that another file, of `size` bytes, has before byte `end`: its lists are entered as they are,
   * but for those that hold that byte. The builder must be new, and a chunk begin at `end`, or RangeError is thrown. Rejects
   * what `load` does, and CORRUPT when the lists do not add up.
   */
  async takeOver(load: LoadObject, content: Content, size: number, end: number): Promise<void> {
    if (end >= size) throw new RangeError(`no chunk begins at ${end} of ${size}`)
    let { height, id } = content
    for (let offset = 0, length = size; offset < end; height--) {
      if (height === 0) throw new RangeError(`no chunk begins at ${end}`)
      const list = await loadList(load, { height, id }, length)
      for (const [i, below] of list.lengths.entries()) {
        length = below
        id = objectIdAt(list.ids, i * ID_BYTES)
        if (offset + below > end) break
        if (endsLevel(this.#enter(height - 1, idBytes(id), below))) await this.#closeList(height - 1)
        offset += below
      }
    }
  }

  /** The file's size, and its content unless that is 0. The builder must not be used again. */
  async finish(): Promise<{ size: number; content?: Content }> {
    if (this.#size === 0) return { size: 0 }
    for (let height = 0; ; height++) {
      const level = this.#levels[height]!
      const isTop = height === this.#levels.length - 1
      if (isTop && level.lengths.length === 1)
        return { size: this.#size, content: { height, id: objectIdAt(level.ids) } }
      if (level.lengths.length > 0) await this.#closeList(height)
    }
  }

  /** Enters a chunk (height 0) or a list as what comes next in the file. */
  #enter(height: number, id: Uint8Array, length: number): Level {
    this.#size += length
    return this.#append(height, id, length)
  }

  #append(height: number, id: Uint8Array, length: number): Level {
    const level = (this.#levels[height] ??= { ids: new Uint8Array(FIRST_ENTRIES * ID_BYTES), lengths: [] })
    const end = level.lengths.length * ID_BYTES
    if (end === level.ids.length) level.ids = withMoreRoom(level.ids)
    level.ids.set(id, end)
    level.lengths.push(length)
    return level
  }

  /** Stores what is open at `height` as a list, and enters that one level up. */
  async #closeList(height: number): Promise<void> {
    const { ids, lengths } = this.#levels[height]!
    const plain = encodeList(height + 1, ids.subarray(0, lengths.length * ID_BYTES), lengths)
    const length = lengths.reduce((sum, each) => sum + each, 0)
    lengths.length = 0
    const id = await this.#save('list', plain)
    if (endsLevel(this.#append(height + 1, idBytes(id), length))) await this.#closeList(height + 1)
  }
}

interface Level {
  /** At their start, and room for more. */
  ids: Uint8Array
  readonly lengths: number[]
}

/** Most files are small: room for all that a list can have would be much more than the rest of what they take. */
const FIRST_ENTRIES = 4

function withMoreRoom(ids: Uint8Array): Uint8Array {
  const larger = new Uint8Array(Math.min(4 * ids.length, LIST_MAX_ENTRIES * ID_BYTES))
  larger.set(ids)
  return larger
}

function endsLevel({ ids, lengths }: Level): boolean {
  return endsList(lengths.length, ids[lengths.length * ID_BYTES - 1]!)
}

/** Consecutive chunks of a file. */
export interface ChunkRun {
  /** Of the first one in the file. */
  readonly offset: number
  /** n × 32 bytes. */
  readonly ids: Uint8Array
  readonly lengths: readonly number[]
}

/**
 * The chunks of a file of `size` bytes, in order, at most LIST_MAX_ENTRIES at a time. Rejects CORRUPT when the lists do not
 * add up. `onList` hears of every list before its entries; answering false skips what is below it.
 */
export async function* walkChunks(
  load: LoadObject,
  content: Content | undefined,
  size: number,
  onList: (id: ObjectId, height: number) => boolean | Promise<boolean> = () => true,
): AsyncGenerator<ChunkRun, void, undefined> {
  if (!content) return
  if (content.height === 0) yield { offset: 0, ids: idBytes(content.id), lengths: [size] }
  else yield* walkList(load, content, size, 0, onList)
}

/** Loads a list. Rejects BAD_FORMAT or CORRUPT when it is not of that height or does not hold `length` bytes of the file. */
export async function loadList(load: LoadObject, { height, id }: Content, length: number): Promise<List> {
  const list = decodeList(await load('list', id), height, `list ${id}`)
  const sum = list.lengths.reduce((total, each) => total + each, 0)
  if (sum !== length)
    throw new ChainkeepError('CORRUPT', `list ${id} holds ${sum} bytes where ${length} should be`, { id })
  return list
}

async function* walkList(
  load: LoadObject,
  { height, id }: Content,
  length: number,
  offset: number,
  onList: (id: ObjectId, height: number) => boolean | Promise<boolean>,
): AsyncGenerator<ChunkRun, void, undefined> {
  if (!(await onList(id, height))) return
  const list = await loadList(load, { height, id }, length)
  if (height === 1) return yield { offset, ids: list.ids, lengths: list.lengths }
  for (const [i, below] of list.lengths.entries()) {
    yield* walkList(load, { height: height - 1, id: objectIdAt(list.ids, i * ID_BYTES) }, below, offset, onList)
    offset += below
  }
}
