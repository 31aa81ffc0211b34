import type { Backend } from '../../src/backend/backend.ts'
import { DEFAULT_CUT_PARAMETERS, SEGMENT_BYTES } from '../../src/chunker/fastcdc.ts'
import { initRepository, openRepository, type Repository } from '../../src/repository/repository.ts'
import { type MemoryFiles, memoryBackend } from './memory-backend.ts'
import { type TestEnvironment, testEnvironment } from './repository.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export interface MemoryRepository extends AsyncDisposable {
  readonly repository: Repository
  readonly backend: MemoryFiles
  readonly environment: TestEnvironment
}

/**
 * An empty repository whose files are in memory; only its index is in a folder, which goes away with it. `wrap` may put
 * something between the repository and its backend.
 */
export async function memoryRepository(wrap: (backend: Backend) => Backend = (it) => it): Promise<MemoryRepository> {
  const tmp = await temporaryDirectory()
  const environment = testEnvironment(tmp.path)
  const backend = memoryBackend()
  const chunker = { ...DEFAULT_CUT_PARAMETERS, segmentBytes: SEGMENT_BYTES }
  await initRepository(backend, environment, { chunker })
  const repository = await openRepository(wrap(backend), environment)
  return {
    repository,
    backend,
    environment,
    async [Symbol.asyncDispose]() {
      await repository.close()
      await tmp[Symbol.asyncDispose]()
    },
  }
}
