import { resolve } from 'node:path'
import { localBackend } from '../backend/local.ts'
import { ChainkeepError, isCode } from '../base/errors.ts'
import type { Progress } from '../base/progress.ts'
import type { Environment } from '../repository/environment.ts'
import { openRepository, type Repository } from '../repository/repository.ts'
import type { Io } from './io.ts'

/** The absolute path of the repository that is meant. Throws USAGE if none is. */
export function repositoryPathOf(io: Io, repo: string | undefined): string {
  const path = repo ?? io.env.CHAINKEEP_REPOSITORY
  if (!path)
    throw new ChainkeepError('USAGE', 'which repository? Give its folder with --repo, or set CHAINKEEP_REPOSITORY')
  return resolve(io.cwd, path)
}

/** Rejects as `openRepository` does, and NOT_A_REPOSITORY for what is not even a folder. */
export async function openLocalRepository(
  path: string,
  environment: Environment,
  progress: Progress,
): Promise<Repository> {
  try {
    return await openRepository(localBackend(path), environment, progress)
  } catch (error) {
    if (!isCode(error, 'IO') || error.details.errno !== 'ENOTDIR') throw error
    throw new ChainkeepError('NOT_A_REPOSITORY', `${path} is not a folder, and so no repository`, { path }, error)
  }
}
