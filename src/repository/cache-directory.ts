import { join } from 'node:path'

/** $CHAINKEEP_CACHE_DIR, else the platform's place for caches (XDG base directories; ~/Library/Caches on macOS). */
export function defaultCacheDirectory(
  env: Readonly<Record<string, string | undefined>>,
  homeDirectory: string,
  platform: string,
): string {
  if (env.CHAINKEEP_CACHE_DIR) return env.CHAINKEEP_CACHE_DIR
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'chainkeep')
  if (platform === 'darwin') return join(homeDirectory, 'Library', 'Caches', 'chainkeep')
  return join(homeDirectory, '.cache', 'chainkeep')
}
