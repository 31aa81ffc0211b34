import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { localBackend } from '../../src/backend/local.ts'
import { idBytes } from '../../src/base/ids.ts'
import { decodeConfig, encodeConfig, MAX_CONFIG_BYTES, type RepositoryConfig } from '../../src/format/config.ts'
import { initRepository, openRepository } from '../../src/repository/repository.ts'
import { memoryBackend } from '../helpers/memory-backend.ts'
import { memoryRepository } from '../helpers/memory-repository.ts'
import { createRepository, openTestRepository, testEnvironment } from '../helpers/repository.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

const CHUNKER = { minBytes: 1024, averageBytes: 4096, maxBytes: 16_384, level: 2, segmentBytes: 2 ** 20 }
const environment = testEnvironment('/nowhere')

describe('initRepository', () => {
  test('writes the config, and nothing else', async () => {
    const backend = memoryBackend()
    const config = await initRepository(backend, { ...environment, now: () => 12_345 }, { chunker: CHUNKER })
    expect(config).toMatchObject({ version: 1, createdMs: 12_345, chunker: CHUNKER, readFeatures: [] })
    expect(config.repositoryId).toMatch(/^[0-9a-f]{32}$/)
    expect([...backend.files.keys()]).toEqual(['config'])
    expect(decodeConfig(await backend.get('config', ''), 'config')).toEqual(config)
  })

  test('gives every repository an id of its own', async () => {
    const ids = new Set<string>()
    for (let i = 0; i < 5; i++)
      ids.add((await initRepository(memoryBackend(), environment, { chunker: CHUNKER })).repositoryId)
    expect(ids.size).toBe(5)
  })

  test('leaves a repository that is there alone', async () => {
    const backend = memoryBackend()
    const config = await initRepository(backend, environment, { chunker: CHUNKER })
    await expect(initRepository(backend, environment, { chunker: CHUNKER })).rejects.toMatchObject({
      code: 'EXISTS',
      message: 'memory already holds a repository',
    })
    expect(decodeConfig(await backend.get('config', ''), 'config')).toEqual(config)
  })
})

describe('openRepository', () => {
  const open = async (config: Uint8Array | undefined) => {
    const backend = memoryBackend()
    if (config) backend.files.set('config', config)
    return openRepository(backend, environment)
  }
  const CONFIG: RepositoryConfig = {
    version: 1,
    repositoryId: 'ab'.repeat(16),
    createdMs: 0,
    chunker: CHUNKER,
    readFeatures: [],
    writeFeatures: [],
  }

  test('knows the config, and needs no more than it', async () => {
    await using repository = await open(encodeConfig(CONFIG))
    expect(repository.config).toEqual(CONFIG)
    expect(repository.cacheDirectory).toBe(`/nowhere/cache/${'ab'.repeat(16)}`)
  })

  test('knows a folder without a config from one with another file of that name', async () => {
    await expect(open(undefined)).rejects.toMatchObject({
      code: 'NO_REPOSITORY',
      message: expect.stringContaining('chainkeep init'),
    })
    await expect(open(Buffer.from('[core]\n'))).rejects.toMatchObject({ code: 'NOT_A_REPOSITORY' })
    await expect(open(Buffer.alloc(0))).rejects.toMatchObject({ code: 'NOT_A_REPOSITORY' })
    await expect(open(encodeConfig(CONFIG).subarray(0, -1))).rejects.toMatchObject({
      code: 'TRUNCATED',
      message: expect.stringMatching(
        /config is damaged: ends 1 bytes early at offset \d+; copy it back from another copy/,
      ),
    })
  })

  test('does not read a file that is too large to be a config', async () => {
    const backend = memoryBackend()
    backend.files.set('config', Buffer.alloc(MAX_CONFIG_BYTES + 1))
    const get = vi.spyOn(backend, 'get')
    await expect(openRepository(backend, environment)).rejects.toMatchObject({ code: 'NOT_A_REPOSITORY' })
    expect(get).not.toHaveBeenCalled()
  })

  test('refuses what it cannot read, and to write what it must not', async () => {
    await expect(open(encodeConfig({ ...CONFIG, readFeatures: ['encryption'] }))).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    })
    await using repository = await open(encodeConfig({ ...CONFIG, writeFeatures: ['parity'] }))
    expect(() => repository.beginWrite()).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  })
})

describe('on this machine', () => {
  async function createdIn(): Promise<TemporaryDirectory & { readonly repository: string }> {
    const tmp = await temporaryDirectory()
    await createRepository(tmp.path)
    return {
      path: tmp.path,
      repository: join(tmp.path, 'repository'),
      [Symbol.asyncDispose]: () => tmp[Symbol.asyncDispose](),
    }
  }

  test('the index lies in the repository, and is made when first asked for', async () => {
    await using here = await createdIn()
    await using repository = await openTestRepository(here.path)
    expect(existsSync(join(here.repository, 'index'))).toBe(false)
    const [first, second] = await Promise.all([repository.index(), repository.index()])
    expect(first).toBe(second)
    expect(existsSync(join(here.repository, 'index'))).toBe(true)
    expect(existsSync(join(here.path, 'cache'))).toBe(false)
  })

  test('what one session stores the next one loads', async () => {
    await using here = await createdIn()
    const plain = Buffer.from('a tree')
    const write = async () => {
      await using repository = await openTestRepository(here.path)
      await using _lock = await repository.lock('write')
      const session = repository.beginWrite()
      const id = await session.saveObject('tree', plain)
      await session.flush()
      return id
    }
    const id = await write()
    await using repository = await openTestRepository(here.path)
    expect(Buffer.from(await repository.load('tree', id)).equals(plain)).toBe(true)
    await using _lock = await repository.lock('prune') // the writer's is gone
  })

  test('a folder that is none is refused', async () => {
    await using tmp = await temporaryDirectory()
    await mkdir(join(tmp.path, 'config'))
    await expect(openRepository(localBackend(tmp.path), environment)).rejects.toMatchObject({ name: 'ChainkeepError' })
    await writeFile(join(tmp.path, 'file'), '')
    await expect(openRepository(localBackend(join(tmp.path, 'file')), environment)).rejects.toMatchObject({
      name: 'ChainkeepError',
    })
    await expect(openRepository(localBackend(join(tmp.path, 'none')), environment)).rejects.toMatchObject({
      code: 'NO_REPOSITORY',
    })
  })
})

test('elsewhere the index lies in the cache', async () => {
  await using here = await memoryRepository()
  await here.repository.index()
  expect(existsSync(join(here.repository.cacheDirectory, 'index'))).toBe(true)
})

describe('a lock', () => {
  test('makes an index that is open already forget what was pruned before', async () => {
    await using here = await memoryRepository()
    const { repository, backend } = here
    const session = repository.beginWrite()
    const id = idBytes(await session.saveObject('tree', Buffer.from('a tree')))
    await session.flush()
    for (const path of [...backend.files.keys()]) if (path.startsWith('meta/')) backend.files.delete(path)
    await using _lock = await repository.lock('write')
    expect([...(await repository.beginWrite().claim('tree', id))]).toEqual([1])
  })

  test('is not kept if that fails, and opens no index', async () => {
    await using here = await memoryRepository()
    {
      await using _lock = await here.repository.lock('write')
      expect(existsSync(join(here.repository.cacheDirectory, 'index'))).toBe(false)
    }
    const index = await here.repository.index()
    vi.spyOn(index, 'refresh').mockRejectedValueOnce(new Error('the network is down'))
    await expect(here.repository.lock('write')).rejects.toThrow('the network is down')
    expect([...here.backend.files.keys()]).toEqual(['config'])
  })
})

describe('closing', () => {
  test('closes the index and the backend, once or twice', async () => {
    await using here = await memoryRepository()
    const index = await here.repository.index()
    const closed = vi.spyOn(index, 'close')
    await here.repository.close()
    await here.repository.close()
    expect(closed).toHaveBeenCalledTimes(1)
  })

  test('does not open an index that nobody asked for, nor fail for one that failed', async () => {
    await using here = await memoryRepository((backend) => ({
      ...backend,
      list: async function* (kind) {
        if (kind === 'data') throw new Error('the network is down')
        yield* backend.list(kind)
      },
    }))
    await expect(here.repository.index()).rejects.toThrow('the network is down')
    await here.repository.close()
  })
})
