import { crc32 as crc32OfZlib } from 'node:zlib'
import { kernel } from './kernel.ts'

/** CRC-32 of ISO-HDLC (FORMAT.md §1), as an unsigned number. */
export type Crc32 = (bytes: Uint8Array) => number

/** By the kernel, where it is faster than zlib and there is enough to do. */
export const crc32: Crc32 = (bytes) => {
  const compute = bytes.length < LEAST_BYTES ? undefined : kernel()?.crc32
  return (compute ?? crc32OfZlib)(bytes)
}

const LEAST_BYTES = 1024
