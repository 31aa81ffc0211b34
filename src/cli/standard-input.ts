import { createReadStream, fstatSync, statSync } from 'node:fs'
import { addAbortSignal, type Readable } from 'node:stream'
import { ChainkeepError } from '../base/errors.ts'

/**
 * What comes on stdin, until `signal` is aborted: a silent pipe must not keep a command from ending. Throws USAGE where nothing
 * ever comes: of a directory, Node would make an empty stream, and of what is closed, the null device.
 */
export function openStdin(signal: AbortSignal): Readable {
  const stats = fstatSync(0)
  if (stats.isDirectory()) throw new ChainkeepError('USAGE', 'stdin is a directory: to back it up, give its path')
  if (stats.isCharacterDevice() && stats.rdev === statSync('/dev/null').rdev)
    throw new ChainkeepError('USAGE', 'nothing comes on stdin: it is closed, or /dev/null')
  // Node has an empty stream for a block device, too.
  return addAbortSignal(signal, stats.isBlockDevice() ? createReadStream('', { fd: 0 }) : process.stdin)
}
