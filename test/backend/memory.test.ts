import { memoryBackend } from '../helpers/memory-backend.ts'
import { backendContract } from './contract.ts'

backendContract('the memory backend of tests', async () => {
  const backend = memoryBackend()
  return {
    backend,
    addStranger: async (kind, name) => void backend.files.set(`${kind}/${name}`, new Uint8Array(3)),
    [Symbol.asyncDispose]: async () => {},
  }
})
