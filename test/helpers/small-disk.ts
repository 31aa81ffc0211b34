import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** Calls `act` with a file system of `size` that is mounted for it below `parent`; skips the test where that is not allowed. */
export function onSmallDisk(
  context: { skip(note: string): never },
  parent: string,
  size: string,
  act: (directory: string) => void,
): void {
  const directory = join(parent, 'small')
  mkdirSync(directory)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', directory], { stdio: 'ignore' })
  } catch {
    context.skip('mounting is not allowed here')
  }
  try {
    act(directory)
  } finally {
    execFileSync('umount', [directory])
  }
}
