import { readFileSync } from 'node:fs'
import { defaultCacheDirectory } from '../repository/cache-directory.ts'
import type { Environment } from '../repository/environment.ts'
import { missing, resolvePath } from './command.ts'
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
    cacheDirectory: resolvePath(io, cacheDirectory ?? defaultCacheDirectory(io.env, io.homeDirectory, io.platform)),
    notice,
  }
}

/** The absolute path of the repository that the command line, else the environment, says. Throws USAGE if neither does. */
export function repositoryPathOf(io: Io, repo: string | undefined): string {
  const path = repo ?? (io.env.CHAINKEEP_REPOSITORY || undefined)
  if (path === undefined) throw missing('--repo <dir>', "the repository's folder, unless CHAINKEEP_REPOSITORY says it")
  return resolvePath(io, path)
}

/** As in package.json, which lies at the same distance from src/cli as from dist/cli. */
export function programVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
