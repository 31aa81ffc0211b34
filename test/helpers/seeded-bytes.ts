import { createCipheriv, createHash } from 'node:crypto'

/** The first `length` bytes of an incompressible stream that depends on `seed` alone. About 1 GB/s. */
export function seededBytes(seed: string | number, length: number): Buffer {
  return seededStream(seed)(length)
}

/** Calls return the next bytes of the stream of `seededBytes`. */
export function seededStream(seed: string | number): (length: number) => Buffer {
  const key = createHash('sha256').update(String(seed)).digest()
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16))
  return (length) => cipher.update(Buffer.alloc(length))
}
