import { createHash, hash } from 'node:crypto'
import { createRequire } from 'node:module'
import type * as NobleSha3 from '@noble/hashes/sha3.js'
import { ID_BYTES } from '../base/ids.ts'
import { kernel } from './kernel.ts'

/**
 * SHA3-256 of `count` consecutive chunks of bytes: chunk i is [i ? ends[i - 1] : start, ends[i]).
 * Writes count × 32 bytes into `ids` from `idsOffset` on.
 */
export type HashChunks = (
  bytes: Uint8Array,
  start: number,
  ends: Uint32Array,
  count: number,
  ids: Uint8Array,
  idsOffset: number,
) => void

/** The two functions that ids are made with, as one provider has them. Every result is 32 bytes and the caller's. */
export interface Hashes {
  sha3_256(...parts: readonly Uint8Array[]): Uint8Array
  shake256(bytes: Uint8Array): Uint8Array
}

/** See `HashChunks`. By the kernel where there is one: then many chunks in one call take a fraction of the time. */
export const hashChunks: HashChunks = (bytes, start, ends, count, ids, idsOffset) => {
  // One chunk alone would fill one lane of several, which is slower than OpenSSL.
  const hash = (count > 1 ? kernel()?.hashChunks : undefined) ?? hashChunksOneByOne
  hash(bytes, start, ends, count, ids, idsOffset)
}

/** Without the kernel. About 460 MB/s on one core of a 2.5 GHz Xeon (64 KiB chunks, OpenSSL 3.0). */
export const hashChunksOneByOne: HashChunks = (bytes, start, ends, count, ids, idsOffset) => {
  const { sha3_256 } = pickHashes()
  if (idsOffset + count * ID_BYTES > ids.length) throw new RangeError(`no room for ${count} ids at ${idsOffset}`)
  for (let i = 0, from = start; i < count; i++) {
    const end = ends[i]!
    if (!(from <= end && end <= bytes.length))
      throw new RangeError(`no chunk ${from} to ${end} of ${bytes.length} bytes`)
    ids.set(sha3_256(bytes.subarray(from, end)), idsOffset + i * ID_BYTES)
    from = end
  }
}

/** SHA3-256 of the concatenation of `parts`: ids of data chunks. The caller owns the 32 bytes. */
export const sha3_256 = (...parts: readonly Uint8Array[]): Uint8Array => pickHashes().sha3_256(...parts)

/** The first 32 bytes of SHAKE256: ids of metadata. The caller owns them. */
export const shake256 = (bytes: Uint8Array): Uint8Array => pickHashes().shake256(bytes)

/** Through OpenSSL. Throws where it was built without SHA-3. */
export const opensslHashes: Hashes = {
  sha3_256(...parts) {
    if (parts.length === 1) return hash('sha3-256', parts[0]!, 'buffer')
    const state = createHash('sha3-256')
    for (const part of parts) state.update(part)
    return state.digest()
  },
  // Named here, because newer OpenSSL has no default length of output.
  shake256: (bytes) => createHash('shake256', { outputLength: ID_BYTES }).update(bytes).digest(),
}

/** In JavaScript, 8-18 MB/s. Loaded when first used: that takes 10 ms, which no command should pay in vain. */
export const nobleHashes: Hashes = {
  sha3_256(...parts) {
    const state = noble().sha3_256.create()
    for (const part of parts) state.update(part)
    return state.digest()
  },
  shake256: (bytes) => noble().shake256(bytes, { dkLen: ID_BYTES }),
}

/** Whether `hashes` answers what FIPS 202 says, to inputs below and above one block of 136 bytes. */
export function answersRight(hashes: Hashes): boolean {
  const short = Buffer.from('abc')
  const long = Buffer.alloc(200, 0xa3)
  try {
    return (
      hex(hashes.sha3_256(short)) === '3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532' &&
      hex(hashes.sha3_256(long)) === '79f38adec5c20307a98ef76e8324afbfd46cfd81b22e3973c65fa1bd9de31787' &&
      hex(hashes.shake256(short)) === '483366601360a8771c6863080cc4114d8db44530f8f1e1ee4f94ea37e78b5739' &&
      hex(hashes.shake256(long)) === 'cd8a920ed141aa0407a22d59288652e9d9f1a7ee0c1e7c1ca699424da84a904d'
    )
  } catch {
    return false
  }
}

let picked: Hashes | undefined

function pickHashes(): Hashes {
  picked ??= answersRight(opensslHashes) ? opensslHashes : nobleHashes
  return picked
}

const noble = (): typeof NobleSha3 => require('@noble/hashes/sha3.js') as typeof NobleSha3
const require: NodeJS.Require = createRequire(import.meta.url)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
