import { localBackend } from '../backend/local.ts'
import { createLocalFolders } from '../backend/local-folders.ts'
import { ChainkeepError, isCode } from '../base/errors.ts'
import type { Progress } from '../base/progress.ts'
import { DEFAULT_CUT_PARAMETERS, SEGMENT_BYTES } from '../chunker/fastcdc.ts'
import type { RepositoryConfig } from '../format/config.ts'
import type { Settings } from '../format/settings.ts'
import type { Environment } from './environment.ts'
import { initRepository, openRepository, type Repository } from './repository.ts'
import { makeReserve } from './reserve.ts'
import { writeSettings } from './settings.ts'

/** Makes a repository in the folder at an absolute path, which may exist if it is empty. Rejects EXISTS, NOT_FOUND (the folder above), DENIED, IO. */
export async function createLocalRepository(
  path: string,
  environment: Environment,
  settings: Settings = { parityPercent: 0 },
): Promise<RepositoryConfig> {
  await using backend = localBackend(path)
  try {
    await createLocalFolders(path)
  } catch (error) {
    // A folder that holds a repository is not empty either, and that is the better reason.
    const config = isCode(error, 'EXISTS') && (await backend.stat('config', '').catch(() => undefined))
    throw config && config.size > 0
      ? new ChainkeepError('EXISTS', `${path} already holds a repository`, { path }, error)
      : error
  }
  const chunker = { ...DEFAULT_CUT_PARAMETERS, segmentBytes: SEGMENT_BYTES }
  const config = await initRepository(backend, environment, { chunker })
  if (settings.parityPercent > 0) await writeSettings(backend, settings)
  await makeReserve(backend)
  return config
}

/** Opens the repository in the folder at an absolute path. Rejects as `openRepository`, and NOT_A_REPOSITORY if it is no folder. */
export async function openLocalRepository(
  path: string,
  environment: Environment,
  progress?: Progress,
): Promise<Repository> {
  try {
    return await openRepository(localBackend(path), environment, progress)
  } catch (error) {
    if (!isCode(error, 'IO') || error.details.errno !== 'ENOTDIR') throw error
    throw new ChainkeepError('NOT_A_REPOSITORY', `${path} is not a folder, and so no repository`, { path }, error)
  }
}
