import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Gives `use` a new directory below `dir`, and removes it with all that is in it, also when interrupted. */
export async function withScratch<T>(dir: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = await mkdtemp(join(dir, 'chainkeep-bench-'))
  const abandon = (): never => {
    rmSync(path, { recursive: true, force: true })
    process.exit(130)
  }
  process.once('SIGINT', abandon).once('SIGTERM', abandon)
  try {
    return await use(path)
  } finally {
    process.off('SIGINT', abandon).off('SIGTERM', abandon)
    await rm(path, { recursive: true, force: true })
  }
}
