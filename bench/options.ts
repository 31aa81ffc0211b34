import { InvalidArgumentError } from 'commander'
import { parseSize as bytesOf } from '../src/cli/sizes.ts'

/** `64K`, `200M` or `2G` in bytes. */
export function parseSize(text: string): number {
  const bytes = bytesOf(text)
  if (bytes === undefined) throw new InvalidArgumentError('It must be a size such as 200M or 2G.')
  return bytes
}

/** A whole number, 0 or more. */
export function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}
