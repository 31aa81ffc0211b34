import { execFileSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'

const NOBODY = 65_534

/**
 * Calls `act` as a user whom permissions bind, which root is not: as nobody, if the tests run as root. Everything below
 * `directory` is his meanwhile. `modes` are set before, by path below it, and made 700 again afterwards.
 */
export function asNobody<T>(directory: string, modes: Readonly<Record<string, number>>, act: () => T): T {
  const isRoot = process.geteuid?.() === 0
  if (isRoot) execFileSync('chown', ['-R', '-h', String(NOBODY), directory])
  for (const [path, mode] of Object.entries(modes)) chmodSync(join(directory, path), mode)
  const restore = (): void => {
    if (isRoot) process.seteuid?.(0)
    for (const path of Object.keys(modes)) chmodSync(join(directory, path), 0o700)
  }
  if (isRoot) process.seteuid?.(NOBODY)
  let result: T
  try {
    result = act()
  } catch (error) {
    restore()
    throw error
  }
  if (result instanceof Promise) return result.finally(restore) as T
  restore()
  return result
}
