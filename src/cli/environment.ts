import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Environment } from '../repository/environment.ts'
import type { Io } from './io.ts'

/** What the library is told of the process. `cacheDirectory` is what the command line says, if anything. */
export function createEnvironment(
  io: Io,
  cacheDirectory: string | undefined,
  notice: (text: string) => void,
): Environment {
  return {
    now: io.now,
    host: io.host,
    user: io.user,
    program: `chainkeep ${programVersion()}`,
    cacheDirectory: resolve(io.cwd, cacheDirectory || defaultCacheDirectory(io)),
    notice,
  }
}

/** $CHAINKEEP_CACHE_DIR, else the platform's place for caches (XDG base directories; ~/Library/Caches on macOS). */
function defaultCacheDirectory({ env, homeDirectory, platform }: Io): string {
  if (env.CHAINKEEP_CACHE_DIR) return env.CHAINKEEP_CACHE_DIR
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'chainkeep')
  if (platform === 'darwin') return join(homeDirectory, 'Library', 'Caches', 'chainkeep')
  return join(homeDirectory, '.cache', 'chainkeep')
}

/** As in package.json, which lies at the same distance from src/cli as from dist/cli. */
export function programVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
