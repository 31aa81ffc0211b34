import { expect, test } from 'vitest'
import { localBackend } from '../../src/backend/local.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { makeReserve, withReserve } from '../../src/repository/reserve.ts'
import { createRepository } from '../helpers/repository.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

test('a disk that is full has room for what prune writes, once', async () => {
  await using tmp = await temporaryDirectory()
  await createRepository(tmp.path)
  const backend = localBackend(`${tmp.path}/repository`)
  await makeReserve(backend)
  const { size } = await backend.stat('reserve', '')
  expect(size).toBeGreaterThan(65_536)
  const act = async (): Promise<string> => {
    const isThere = await backend.stat('reserve', '').then(
      () => true,
      () => false,
    )
    if (isThere) throw new ChainkeepError('NO_SPACE', 'full')
    return 'done'
  }
  expect(await withReserve(backend, act)).toBe('done')
  await makeReserve(backend)
  const [first] = [await backend.get('reserve', '')]
  await makeReserve(backend)
  expect(await backend.get('reserve', '')).toEqual(first) // it is there, and stays
  await expect(
    withReserve(backend, () => Promise.reject(new ChainkeepError('NO_SPACE', 'full'))),
  ).rejects.toMatchObject({
    code: 'NO_SPACE',
  })
  await makeReserve(backend)
  await expect(withReserve(backend, () => Promise.reject(new Error('other')))).rejects.toThrow('other')
  expect((await backend.stat('reserve', '')).size).toBe(size)
})
