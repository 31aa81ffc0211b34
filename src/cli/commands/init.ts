import type { Backend } from '../../backend/backend.ts'
import { createLocalFolders, localBackend } from '../../backend/local.ts'
import { isCode } from '../../base/errors.ts'
import { DEFAULT_CUT_PARAMETERS, SEGMENT_BYTES } from '../../chunker/fastcdc.ts'
import { initRepository } from '../../repository/repository.ts'
import { type Context, defineVerb, type Verb } from '../command.ts'
import { EXIT } from '../exit-codes.ts'

export const init: Verb = defineVerb({
  description: 'Creates a repository in a folder that does not exist yet, or is empty.',
  examples: [
    ['chainkeep init --repo /backup/node', 'create a repository'],
    ['chainkeep backup --init --repo /backup/node /var/lib/litecoin', 'create it with the first backup'],
  ],
  async run(context) {
    const { output } = context
    const { location, repositoryId } = await createRepository(context)
    output.info(`created repository ${repositoryId.slice(0, 8)} at ${location}`)
    output.json({ message_type: 'initialized', id: repositoryId, repository: location })
    return EXIT.done
  },
})

/** Rejects EXISTS if there is something already. */
export async function createRepository({
  environment,
  repositoryPath,
}: Context): Promise<{ location: string; repositoryId: string }> {
  const location = repositoryPath()
  await using backend = localBackend(location)
  await createLocalFolders(location).catch(async (error: unknown) => {
    // A folder that holds a repository is not empty either, and that is the better reason.
    if (!isCode(error, 'EXISTS') || !(await holdsRepository(backend))) throw error
  })
  const chunker = { ...DEFAULT_CUT_PARAMETERS, segmentBytes: SEGMENT_BYTES }
  const { repositoryId } = await initRepository(backend, environment, { chunker })
  return { location, repositoryId }
}

async function holdsRepository(backend: Backend): Promise<boolean> {
  return await backend.size('config', '').then(
    () => true,
    () => false,
  )
}
