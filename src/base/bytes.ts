import { ChainkeepError } from './errors.ts'

/**
 * Bytes that need not be UTF-8 (file names, paths, link targets) as a string of one char per byte.
 * Strings compare bytewise with `<`, work as map keys and cost nothing to join; `displayBytes` is for people.
 */
declare const byteString: unique symbol
export type ByteString = string & { readonly [byteString]: true }

/** A Buffer over the same memory as `bytes`, for the methods that Uint8Array lacks. */
export function bufferView(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * Copies `source` to `offset` of `target`, which must not overlap with it. As `set` does, which takes memory that threads share
 * byte by byte unless both lie alike to words, at a sixth of the speed (bench/micro/copying.ts).
 */
export function copyBytes(source: Uint8Array, target: Uint8Array, offset: number): void {
  if (source.length > 0) bufferView(target).fill(source, offset, offset + source.length)
}

/** At the speed of memory. False for no bytes. */
export function isAllZero(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0
}

export const toByteString = (bytes: Uint8Array): ByteString => bufferView(bytes).toString('latin1') as ByteString
export const byteStringOf = (text: string): ByteString => Buffer.from(text, 'utf8').toString('latin1') as ByteString
export const fromByteString = (text: ByteString): Buffer => Buffer.from(text, 'latin1')

/** The same for node:fs: as it is where UTF-8 says the same, which is faster. */
export const pathForFs = (path: ByteString): string | Buffer => (/^[ -~]*$/.test(path) ? path : fromByteString(path))

/** Joins path components; an absolute `name` is a programmer's mistake. */
export function joinPath(parent: ByteString, name: ByteString): ByteString {
  return (parent.endsWith('/') ? parent + name : `${parent}/${name}`) as ByteString
}

/**
 * As text: UTF-8 where it is valid and harmless, `\xNN` for every other byte. Different bytes never look the same, since a
 * backslash that would read as the beginning of such an escape is escaped itself.
 */
export function displayBytes(text: ByteString): string {
  const unambiguous = text.replace(/\\(?=x[0-9a-f]{2})/g, escapeBytes) as ByteString
  if (/^[\x20-\x7e]*$/.test(text)) return unambiguous
  return decodeUtf8(unambiguous)?.replace(HARMFUL, escapeBytes) ?? unambiguous.replace(/[^\x20-\x7e]/g, escapeByte)
}

/** The text if the bytes are valid UTF-8, else `undefined`. */
export function decodeUtf8(text: ByteString): string | undefined {
  try {
    return UTF8.decode(fromByteString(text))
  } catch {
    return undefined
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
// Terminals act on control characters: a file name must not be able to move the cursor, set a title or reverse what follows.
const HARMFUL = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu
/** What is told, fit for a terminal: of control characters only line ends, tabs and those of colours are left. */
export function harmlessText(text: string): string {
  return text.replace(TOLD, (found, colour: string) => {
    if (found === '\n' || found === '\t' || (colour !== undefined && found.startsWith('\u001b'))) return found
    return escapeBytes(found[0]!) + found.slice(1)
  })
}

const TOLD = /\p{Cc}(\[\d{1,2}m)|[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu
const escapeByte = (char: string): string => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
const escapeBytes = (chars: string): string => byteStringOf(chars).replace(/./gs, escapeByte)

/** Reads little-endian fields in order and never past the end. `file` names the source in errors. */
export class ByteReader {
  readonly file: string
  readonly #bytes: Buffer
  readonly #base: number
  #offset = 0

  /** Borrows `bytes`; `base` is their offset in `file`. */
  constructor(bytes: Uint8Array, file: string, base = 0) {
    this.#bytes = bufferView(bytes)
    this.file = file
    this.#base = base
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  /** Where the next field is, in the file. */
  get offset(): number {
    return this.#base + this.#offset
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1))
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#advance(2))
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#advance(4))
  }

  /** A u64 that must be a safe integer. */
  u64(): number {
    const at = this.#advance(8)
    const value = this.#bytes.readUInt32LE(at + 4) * 2 ** 32 + this.#bytes.readUInt32LE(at)
    if (!Number.isSafeInteger(value)) this.fail('a number above 2^53', at)
    return value
  }

  /** A view of the next `length` bytes. */
  bytesView(length: number): Uint8Array {
    const at = this.#advance(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** Requires the next bytes to be `signature` (ASCII). */
  signature(signature: string, what: string): void {
    const at = this.#offset
    if (this.#bytes.toString('latin1', at, at + signature.length) !== signature) this.fail(`not ${what}`, at)
    this.#offset += signature.length
  }

  /** Requires that nothing is left. */
  end(): void {
    if (this.remaining !== 0) this.fail(`${this.remaining} bytes too many`)
  }

  /** Throws BAD_FORMAT that names the file and the offset (of the reader's position, unless `at` is given). */
  fail(reason: string, at: number = this.#offset): never {
    throw badFormat(this.file, this.#base + at, reason)
  }

  #advance(length: number): number {
    const at = this.#offset
    if (length > this.#bytes.length - at) {
      const missing = length - (this.#bytes.length - at)
      throw new ChainkeepError('TRUNCATED', `${this.file}: ends ${missing} bytes early at offset ${this.#base + at}`, {
        file: this.file,
        offset: this.#base + at,
      })
    }
    this.#offset = at + length
    return at
  }
}

/** The error for bytes of `file` that do not decode. */
export function badFormat(file: string, offset: number, reason: string): ChainkeepError {
  return new ChainkeepError('BAD_FORMAT', `${file}: ${reason} at offset ${offset}`, { file, offset })
}

/** Writes little-endian fields into a buffer of a size known beforehand. */
export class ByteWriter {
  readonly #bytes: Buffer
  #offset = 0

  constructor(length: number) {
    this.#bytes = Buffer.alloc(length)
  }

  u8(value: number): this {
    this.#offset = this.#bytes.writeUInt8(value, this.#offset)
    return this
  }

  u16(value: number): this {
    this.#offset = this.#bytes.writeUInt16LE(value, this.#offset)
    return this
  }

  u32(value: number): this {
    this.#offset = this.#bytes.writeUInt32LE(value, this.#offset)
    return this
  }

  u64(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a u64 that is a safe integer: ${value}`)
    this.#bytes.writeUInt32LE(value % 2 ** 32, this.#offset)
    this.#offset = this.#bytes.writeUInt32LE(Math.floor(value / 2 ** 32), this.#offset + 4)
    return this
  }

  bytes(value: Uint8Array): this {
    this.#bytes.set(value, this.#offset)
    this.#offset += value.length
    return this
  }

  ascii(value: string): this {
    return this.bytes(Buffer.from(value, 'latin1'))
  }

  /** A view of what is written so far. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#offset)
  }

  /** The whole buffer, which must be full. The caller owns it. */
  finish(): Uint8Array {
    if (this.#offset !== this.#bytes.length)
      throw new RangeError(`${this.#offset} of ${this.#bytes.length} bytes written`)
    return this.#bytes
  }
}
