import { type ByteString, ByteWriter } from '../base/bytes.ts'
import { ID_BYTES } from '../base/ids.ts'
import { BlockReader, BlockWriter } from './checked-blocks.ts'

/**
 * What one backup has read so far, in the order of the walk: for every segment of a file, or small file, its chunks.
 *
 *     file   = record …, in the blocks of `BlockWriter`
 *     record = u8 'J' | u8 version | u64 start of the backup in ms
 *            | u8 'P' | u32 length | path | u8 length | signature | u64 offset in the file | u32 n | n × id (32) | n × u32 length
 */
const VERSION = 1
const TYPE = { header: 0x4a, part: 0x50 } as const
/** A killed process loses no more than this of its journal; it stands for 7 MB of large files or a few dozen small ones. */
const BLOCK_BYTES = 4096
/** A part of more than 16 GB in usual chunks is not noted: it would be longer than a block may be. */
const MAX_CHUNKS = 2 ** 18

/** The chunks of a part of a file: packed ids, and lengths. */
export interface PartChunks {
  readonly ids: Uint8Array
  readonly lengths: Uint32Array
}

/** A part that was read, of a file that had this signature. */
export interface ReadPart extends PartChunks {
  readonly path: ByteString
  readonly signature: string
  readonly offset: number
}

/** Makes the file, which must not exist. Throws what node:fs does. */
export class JournalWriter {
  readonly #blocks: BlockWriter

  constructor(file: string, startMs: number) {
    this.#blocks = new BlockWriter(file, BLOCK_BYTES)
    this.#blocks.push(new ByteWriter(10).u8(TYPE.header).u8(VERSION).u64(startMs).finish())
  }

  add({ path, signature, offset, ids, lengths }: ReadPart): void {
    if (lengths.length > MAX_CHUNKS) return
    const writer = new ByteWriter(12 + lengths.length * (ID_BYTES + 4)).u64(offset).u32(lengths.length).bytes(ids)
    for (const length of lengths) writer.u32(length)
    this.#blocks.u8(TYPE.part).sized(4, path).sized(1, signature).push(writer.finish())
  }

  close(): void {
    this.#blocks.flush()
    this.#blocks.close()
  }
}

interface PlacedPart extends ReadPart {
  /** Of the path, as `placeInWalk` says. */
  readonly place: string
}

/** Reads such a file in step with a walk. What is damaged or cannot be read is its end. Memory: one record. */
export class JournalReader {
  /** When the backup began; `undefined` if this is no journal. */
  readonly startMs: number | undefined
  readonly #blocks: BlockReader
  #next: PlacedPart | undefined

  /** Throws what opening the file does. */
  constructor(file: string) {
    this.#blocks = new BlockReader(file)
    this.startMs = this.#readHeader()
    if (this.startMs !== undefined) this.#next = this.#readPart()
  }

  /** The chunks of the part of `length` bytes at `offset` of a file that has this signature. Parts must be asked for in order. */
  find(path: ByteString, signature: string, offset: number, length: number): PartChunks | undefined {
    const place = placeInWalk(path)
    for (; this.#next; this.#next = this.#readPart()) {
      const { place: there, offset: thereAt } = this.#next
      if (there > place || (there === place && thereAt > offset)) return undefined
      if (there < place || thereAt < offset || this.#next.signature !== signature) continue
      const { ids, lengths } = this.#next
      if (lengths.reduce((sum, each) => sum + each, 0) === length) return { ids, lengths }
    }
    return undefined
  }

  close(): void {
    this.#next = undefined
    this.#blocks.close()
  }

  #readHeader(): number | undefined {
    const bytes = this.#blocks.take(10)
    if (bytes?.[0] !== TYPE.header || bytes[1] !== VERSION) return undefined
    return readU64(bytes, 2)
  }

  #readPart(): PlacedPart | undefined {
    if (this.#blocks.number(1) !== TYPE.part) return undefined
    const path = this.#blocks.textSized(4)
    const signature = path === undefined ? undefined : this.#blocks.textSized(1)
    const head = signature === undefined ? undefined : this.#blocks.take(12)
    if (path === undefined || signature === undefined || !head) return undefined
    const offset = readU64(head, 0)
    const count = head.readUInt32LE(8)
    if (count > MAX_CHUNKS) return undefined
    const ids = this.#blocks.take(count * ID_BYTES)
    const encoded = ids && this.#blocks.take(count * 4)
    if (!encoded) return undefined
    const lengths = Uint32Array.from({ length: count }, (_, i) => encoded.readUInt32LE(4 * i))
    return { path, place: placeInWalk(path), signature, offset, ids, lengths }
  }
}

/** What is beyond the integers that numbers can hold is no offset or time that anybody asks for. */
const readU64 = (bytes: Buffer, at: number): number => Number(bytes.readBigUInt64LE(at))

/** Compares as the walk goes: names bytewise, and what is in a directory before what comes after it. */
const placeInWalk = (path: ByteString): string => path.replaceAll('/', '\0')
