import { createLocalRepository } from '../repository/local.ts'
import type { Context } from './command.ts'

/** Creates the repository that the command line means, with so much parity. `message` says so, for people. Rejects as `createLocalRepository`. */
export async function createRepository(
  context: Pick<Context, 'environment' | 'repositoryPath'>,
  parityPercent = 0,
): Promise<{ readonly id: string; readonly path: string; readonly message: string }> {
  const path = context.repositoryPath()
  const { repositoryId: id } = await createLocalRepository(path, context.environment, { parityPercent })
  return { id, path, message: `created repository ${id.slice(0, 8)} at ${path}` }
}
