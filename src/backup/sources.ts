import { lstatSync, realpathSync } from 'node:fs'
import { type ByteString, byteStringOf, displayBytes, fromByteString, toByteString } from '../base/bytes.ts'
import { ChainkeepError, errnoOf, reasonOf } from '../base/errors.ts'
import type { Failure } from '../format/snapshot.ts'
import { isBelow, normalisePaths } from './walk.ts'

export interface Sources {
  /** Absolute, sorted, none below another, none a symbolic link. */
  readonly paths: readonly ByteString[]
  /** What was asked for and is not there. */
  readonly missing: readonly Failure[]
}

/**
 * Looks at what a backup is asked for. A source that is a symbolic link stands for what it points to (`notice` hears of it),
 * for nobody means to back up a link alone. Throws NOT_FOUND if nothing is there, REFUSED if a source lies inside
 * `repository`, USAGE for a path that is not absolute or has "." or ".." in it.
 */
export function resolveSources(
  asked: readonly ByteString[],
  repository: string | undefined,
  notice: (text: string) => void,
): Sources {
  for (const path of asked)
    if (!/^\//.test(path) || path.split('/').some((name) => name === '.' || name === '..'))
      throw new ChainkeepError('USAGE', `${displayBytes(path)} is not an absolute path without "." and ".."`, { path })
  const paths: ByteString[] = []
  const missing: Failure[] = []
  for (const path of normalisePaths(asked)) {
    // before looking: "link/" would be the directory it points to
    const found = resolve(path, notice)
    if (typeof found === 'string') paths.push(found)
    else missing.push(found)
  }
  if (paths.length === 0) {
    const names = asked.map(displayBytes).join(', ')
    throw new ChainkeepError(
      'NOT_FOUND',
      asked.length === 1 ? `there is nothing to back up at ${names}` : `there is nothing to back up at any of ${names}`,
      { paths: asked },
    )
  }
  const inside = repository === undefined ? undefined : realPath(byteStringOf(repository))
  const normal = normalisePaths(paths)
  for (const path of normal)
    if (inside !== undefined && isBelow(realPath(path), inside))
      throw new ChainkeepError(
        'REFUSED',
        `${displayBytes(path)} lies inside the repository ${displayBytes(inside)}: a repository cannot back up itself`,
        { path },
      )
  return { paths: normal, missing }
}

function resolve(path: ByteString, notice: (text: string) => void): ByteString | Failure {
  try {
    if (!lstatSync(fromByteString(path)).isSymbolicLink()) return path
    const real = realPath(path)
    notice(`${displayBytes(path)} is a symbolic link: backing up what it points to, ${displayBytes(real)}`)
    return real
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return { path, reason: reasonOf(error) }
  }
}

const realPath = (path: ByteString): ByteString =>
  toByteString(realpathSync(fromByteString(path), { encoding: 'buffer' }))
