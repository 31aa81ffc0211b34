import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Backend, FileKind } from '../../src/backend/backend.ts'
import { localBackend } from '../../src/backend/local.ts'
import { createLocalFolders } from '../../src/backend/local-folders.ts'
import type { ErrorCode } from '../../src/base/errors.ts'
import { type FileCall, faultyFileSystem } from '../helpers/faulty-file-system.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'
import { backendContract, namesOf } from './contract.ts'

const NAME = 'ab'.repeat(32)
const BYTES = seededBytes('local', 100_000)
const FOLDERS = ['data', 'locks', 'meta', 'snapshots', 'tmp']

async function repositoryFolder(): Promise<TemporaryDirectory> {
  const tmp = await temporaryDirectory()
  await createLocalFolders(join(tmp.path, 'repository'))
  return { path: join(tmp.path, 'repository'), [Symbol.asyncDispose]: () => tmp[Symbol.asyncDispose]() }
}

backendContract('the local backend', async () => {
  const folder = await repositoryFolder()
  return {
    backend: localBackend(folder.path),
    addStranger: async (kind, name) => {
      const directory = join(folder.path, kind, ['data', 'meta', 'parity'].includes(kind) ? NAME.slice(0, 2) : '')
      await writeFile(join(directory, name), 'stranger')
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
})

/** Every file below, by its path. */
const filesIn = (directory: string): string[] =>
  (readdirSync(directory, { recursive: true, encoding: 'utf8' }) as string[])
    .filter((path) => statSync(join(directory, path)).isFile())
    .sort()

describe('files lie where the format says', () => {
  test.each<[FileKind, string, string]>([
    ['config', '', 'config'],
    ['settings', '', 'settings'],
    ['reserve', '', 'reserve'],
    ['data', NAME, `data/ab/${NAME}`],
    ['meta', NAME, `meta/ab/${NAME}`],
    ['parity', NAME, `parity/ab/${NAME}`],
    ['snapshots', NAME, `snapshots/${NAME}`],
    ['condemned', NAME, `condemned/${NAME}`],
    ['locks', NAME, `locks/${NAME}`],
  ])('%s', async (kind, name, path) => {
    await using folder = await repositoryFolder()
    await localBackend(folder.path).put(kind, name, [BYTES])
    expect(filesIn(folder.path)).toEqual([path])
  })

  test('and nobody else can read them', async () => {
    await using folder = await repositoryFolder()
    for (const kind of ['config', 'settings', 'data', 'meta', 'parity', 'snapshots', 'locks'] as const)
      await localBackend(folder.path).put(kind, kind === 'config' || kind === 'settings' ? '' : NAME, [BYTES])
    for (const path of ['', ...(readdirSync(folder.path, { recursive: true }) as string[])]) {
      const stats = statSync(join(folder.path, path))
      expect([path, stats.mode & 0o777]).toEqual([path, stats.isDirectory() ? 0o700 : 0o600])
    }
  })

  test('among folders and files of others', async () => {
    await using folder = await repositoryFolder()
    const backend = localBackend(folder.path)
    await backend.put('data', NAME, [BYTES])
    await mkdir(join(folder.path, 'data', 'cd', 'e'.repeat(64)), { recursive: true })
    await mkdir(join(folder.path, 'data', 'lost+found'))
    await writeFile(join(folder.path, 'data', 'ab', 'cd'.repeat(32)), 'in the wrong folder')
    await writeFile(join(folder.path, 'data', 'ff'), 'a file, not a folder')
    expect(await namesOf(backend, 'data')).toEqual([NAME])
  })

  test('and folders that are lost hold nothing, but those without which nothing can be right', async () => {
    await using tmp = await temporaryDirectory()
    const backend = localBackend(join(tmp.path, 'nowhere'))
    for (const kind of ['locks', 'tmp', 'condemned', 'parity'] as const)
      expect(await namesOf(backend, kind)).toEqual([])
    for (const kind of ['data', 'meta', 'snapshots'] as const)
      await expect(namesOf(backend, kind)).rejects.toThrow(`nowhere/${kind} is missing: `) // not "there are none"
    await expect(backend.put('data', NAME, [BYTES])).rejects.toThrow('nowhere/tmp is missing: ')
  })
})

/** A backend whose calls are recorded, relative to its folder, random names replaced. */
function watched(directory: string, failure?: (call: FileCall, number: number) => string | undefined) {
  const { files, calls } = faultyFileSystem(failure)
  const traced = (): string[] =>
    calls.map(({ name, path }) => {
      const relative = path.slice(directory.length + 1).replace(/^tmp\/[0-9a-f]+$/, 'tmp/?')
      return `${name} ${relative.replaceAll(NAME, 'NAME')}`.trimEnd()
    })
  return { backend: localBackend(directory, files), calls, traced }
}

describe('a put is durable once it resolves', () => {
  const WRITTEN = ['create tmp/?', 'write tmp/?', 'sync tmp/?', 'close tmp/?']

  test('written and synced before it has its name, and the name synced after', async () => {
    await using folder = await repositoryFolder()
    const { backend, traced } = watched(folder.path)
    await backend.put('snapshots', NAME, [BYTES])
    expect(traced()).toEqual([...WRITTEN, 'link snapshots/NAME', 'syncDirectory snapshots', 'remove tmp/?'])
  })

  test('the folder of a pack is synced, too, once in each process, whoever made it', async () => {
    await using folder = await repositoryFolder()
    await mkdir(join(folder.path, 'data', 'ab'))
    const { backend, calls, traced } = watched(folder.path)
    await backend.put('data', NAME, [BYTES])
    const published = ['link data/ab/NAME', 'syncDirectory data/ab', 'remove tmp/?']
    const [create, write, ...synced] = WRITTEN
    expect(traced()).toEqual([create, write, 'makeDirectory data/ab', 'syncDirectory data', ...synced, ...published])
    await backend.remove('data', NAME)
    calls.length = 0
    await backend.put('data', NAME, [BYTES])
    expect(traced()).toEqual([...WRITTEN, ...published])
  })

  test('of two at once in one new folder, both wait for it', async () => {
    await using folder = await repositoryFolder()
    const { backend, traced } = watched(folder.path)
    await Promise.all([backend.put('data', NAME, [BYTES]), backend.put('data', `ab${'00'.repeat(31)}`, [BYTES])])
    const trace = traced()
    for (const link of trace.filter((call) => call.startsWith('link')))
      expect(trace.indexOf('syncDirectory data')).toBeLessThan(trace.indexOf(link))
    expect(trace.filter((call) => call === 'syncDirectory data')).toHaveLength(2)
  })

  test('without hard links, a rename takes their place', async () => {
    await using folder = await repositoryFolder()
    const { backend, traced } = watched(folder.path, ({ name }) => (name === 'link' ? 'EPERM' : undefined))
    await backend.put('snapshots', NAME, [BYTES])
    expect(traced()).toEqual([
      ...WRITTEN,
      'link snapshots/NAME',
      'stat snapshots/NAME',
      'rename snapshots/NAME',
      'syncDirectory snapshots',
      'remove tmp/?',
    ])
    await expect(backend.put('snapshots', NAME, [BYTES])).rejects.toMatchObject({ code: 'EXISTS' })
    expect(filesIn(folder.path)).toEqual([`snapshots/${NAME}`])
  })

  test('a replacement, too, and whatever call fails, there is the old file or the new one', async () => {
    for (let failing = 0; ; failing++) {
      await using folder = await repositoryFolder()
      await localBackend(folder.path).put('snapshots', NAME, [BYTES])
      const { backend, traced } = watched(folder.path, (_, number) => (number === failing ? 'EIO' : undefined))
      const outcome = await backend.replace('snapshots', NAME, [BYTES.subarray(1)]).catch((error: unknown) => error)
      const there = await localBackend(folder.path).get('snapshots', NAME)
      expect([BYTES.length, BYTES.length - 1]).toContain(there.length)
      expect(filesIn(folder.path).filter((path) => path.startsWith('snapshots'))).toEqual([`snapshots/${NAME}`])
      if (outcome) expect(outcome).toMatchObject({ code: 'IO' })
      else expect(there.length).toBe(BYTES.length - 1)
      if (failing < traced().length) continue
      expect(traced()).toEqual([...WRITTEN, 'rename snapshots/NAME', 'syncDirectory snapshots', 'remove tmp/?'])
      break
    }
  })

  test('the folder of parity comes with its first file, and its name is durable before that', async () => {
    await using folder = await repositoryFolder()
    const { backend, traced } = watched(folder.path)
    expect(await namesOf(backend, 'parity')).toEqual([])
    await backend.put('parity', NAME, [BYTES])
    const made = traced().filter((call) => /Directory/.test(call))
    expect(made).toEqual([
      ...['makeDirectory parity', 'syncDirectory', 'makeDirectory parity/ab', 'syncDirectory parity'],
      'syncDirectory parity/ab',
    ])
  })

  test('but for what may be lost with the power: then nothing is synced', async () => {
    await using folder = await repositoryFolder()
    const { backend, traced } = watched(folder.path)
    await backend.putBriefly('locks', NAME, [BYTES])
    expect(traced()).toEqual(['create tmp/?', 'write tmp/?', 'close tmp/?', 'link locks/NAME', 'remove tmp/?'])
  })

  test('a removal, too', async () => {
    await using folder = await repositoryFolder()
    const { backend, calls, traced } = watched(folder.path)
    await backend.put('snapshots', NAME, [BYTES])
    calls.length = 0
    await backend.remove('snapshots', NAME)
    expect(traced()).toEqual(['remove snapshots/NAME', 'syncDirectory snapshots'])
  })
})

describe('whichever call of a put fails', () => {
  const CALLS_OF_A_PUT = 9

  async function putFailingAt(directory: string, number: number, errno: string) {
    const { backend, calls } = watched(directory, (_, n) => (n === number ? errno : undefined))
    const error = await backend.put('data', NAME, [BYTES]).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    return { error, failed: calls[number]?.name, backend }
  }

  test.each(Array.from({ length: CALLS_OF_A_PUT }, (_, n) => n))('call %d', async (number) => {
    for (const [errno, code] of [
      ['EIO', 'IO'],
      ['ENOSPC', 'NO_SPACE'],
      ['EDQUOT', 'NO_SPACE'],
      ['EACCES', 'DENIED'],
    ] as const satisfies [string, ErrorCode][]) {
      await using folder = await repositoryFolder()
      const { error, failed, backend } = await putFailingAt(folder.path, number, errno)
      if (failed === 'remove') {
        expect(error).toBeUndefined() // the file is there; what is left over goes with the next prune
        const [leftover, ...others] = await namesOf(backend, 'tmp')
        expect([leftover?.startsWith(backend.writer), others]).toEqual([true, []])
        await backend.remove('tmp', leftover!)
        expect(filesIn(folder.path)).toEqual([`data/ab/${NAME}`])
      } else {
        expect(error).toMatchObject({ name: 'ChainkeepError', code, details: { kind: 'data', name: NAME, errno } })
        expect(filesIn(folder.path)).toEqual([])
        await backend.put('data', NAME, [BYTES])
      }
      expect(Buffer.from(await backend.get('data', NAME)).equals(BYTES)).toBe(true)
    }
  })

  test('and these are all', async () => {
    await using folder = await repositoryFolder()
    const { failed, error } = await putFailingAt(folder.path, CALLS_OF_A_PUT, 'EIO')
    expect([failed, error]).toEqual([undefined, undefined])
  })

  test('a file that failed is never synced again', async () => {
    for (const failing of ['write', 'sync'] as const) {
      await using folder = await repositoryFolder()
      const { backend, calls } = watched(folder.path, ({ name }, n) => (name === failing && n < 9 ? 'EIO' : undefined))
      await expect(backend.put('snapshots', NAME, [BYTES])).rejects.toMatchObject({ code: 'IO' })
      const first = calls.find(({ name }) => name === 'create')!.path
      await backend.put('snapshots', NAME, [BYTES]).catch(() => {})
      const last = calls.findLast(({ name }) => name === 'create')!.path
      expect(last).not.toBe(first)
      expect(calls.filter(({ name, path }) => name === failing && path === first)).toHaveLength(1)
    }
  })

  test('of a put that another has won, the other stays', async () => {
    await using folder = await repositoryFolder()
    await localBackend(folder.path).put('snapshots', NAME, [Buffer.from('first')])
    const { backend } = watched(folder.path)
    await expect(backend.put('snapshots', NAME, [BYTES])).rejects.toMatchObject({ code: 'EXISTS' })
    expect(Buffer.from(await backend.get('snapshots', NAME)).toString()).toBe('first')
    expect(filesIn(folder.path)).toEqual([`snapshots/${NAME}`])
  })
})

describe('other calls that fail', () => {
  test.each<[string, (backend: Backend) => Promise<unknown>]>([
    ['get', (backend) => backend.get('snapshots', NAME)],
    ['stat', (backend) => backend.stat('snapshots', NAME)],
    ['list', (backend) => namesOf(backend, 'snapshots')],
    ['list of folders', (backend) => namesOf(backend, 'data')],
    ['remove', (backend) => backend.remove('snapshots', NAME)],
    ['touch', (backend) => backend.touch('snapshots', NAME)],
    ['clock', (backend) => backend.clock()],
  ])('%s rejects with ours', async (_, call) => {
    await using folder = await repositoryFolder()
    await localBackend(folder.path).put('snapshots', NAME, [BYTES])
    const { backend } = watched(folder.path, () => 'EIO')
    await expect(call(backend)).rejects.toMatchObject({ name: 'ChainkeepError', code: 'IO' })
  })

  test('leftovers are known by their writer, and strangers in their folder are passed over', async () => {
    await using folder = await repositoryFolder()
    const { backend } = watched(folder.path, ({ name }) => (name === 'link' || name === 'remove' ? 'EIO' : undefined))
    await expect(backend.put('snapshots', NAME, [BYTES])).rejects.toMatchObject({ code: 'IO' })
    await writeFile(join(folder.path, 'tmp', 'stranger'), '')
    const other = localBackend(folder.path)
    expect(other.writer).not.toBe(backend.writer)
    for (const name of await namesOf(other, 'tmp')) {
      expect(name).toMatch(new RegExp(`^${backend.writer}[0-9a-f]{32}$`))
      await other.remove('tmp', name)
    }
    expect(filesIn(folder.path)).toEqual(['tmp/stranger'])
  })
})

describe('createLocalFolders', () => {
  test('makes the folders, and again where a first attempt was interrupted', async () => {
    await using tmp = await temporaryDirectory()
    const directory = join(tmp.path, 'new')
    await createLocalFolders(directory)
    expect(readdirSync(directory).sort()).toEqual(FOLDERS)
    await createLocalFolders(directory)
    await expect(createLocalFolders(tmp.path)).rejects.toMatchObject({ code: 'EXISTS' })
  })

  test('takes an empty folder, and refuses any other', async () => {
    await using tmp = await temporaryDirectory()
    await createLocalFolders(tmp.path)
    await writeFile(join(tmp.path, 'config'), '')
    await expect(createLocalFolders(tmp.path)).rejects.toMatchObject({ code: 'EXISTS' })
    await writeFile(join(tmp.path, 'file'), '')
    await expect(createLocalFolders(join(tmp.path, 'file'))).rejects.toMatchObject({ code: 'IO' })
    await expect(createLocalFolders(join(tmp.path, 'a', 'b'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(existsSync(join(tmp.path, 'a'))).toBe(false)
  })

  test('leaves packs and snapshots alone that have lost their config, and says what to do', async () => {
    for (const file of [`data/ab/${NAME}`, `meta/ab/${NAME}`, `snapshots/${NAME}`, 'data/of-somebody-else', 'data']) {
      await using tmp = await temporaryDirectory()
      await mkdir(join(tmp.path, file, '..'), { recursive: true })
      await writeFile(join(tmp.path, file), '')
      await expect(createLocalFolders(tmp.path), file).rejects.toMatchObject({
        code: 'EXISTS',
        message: expect.stringContaining(
          `it holds ${file}, but no config; if the config of a repository was lost, put a copy`,
        ),
      })
      expect(filesIn(tmp.path)).toEqual([file])
    }
  })

  test('takes what an attempt has left that was interrupted', async () => {
    await using folder = await repositoryFolder()
    await mkdir(join(folder.path, 'data', 'ab'))
    await writeFile(join(folder.path, 'tmp', NAME), '')
    await createLocalFolders(folder.path)
  })

  test('makes their names durable, its own among them', async () => {
    await using tmp = await temporaryDirectory()
    const { files, calls } = faultyFileSystem()
    await createLocalFolders(join(tmp.path, 'new'), files)
    const synced = calls.filter(({ name }) => name === 'syncDirectory').map(({ path }) => path)
    expect(synced).toEqual([tmp.path, join(tmp.path, 'new')])
    expect(calls.at(-1)!.name).toBe('syncDirectory')
  })

  test('rejects with ours, whichever call fails', async () => {
    for (let number = 0; number < 9; number++) {
      await using tmp = await temporaryDirectory()
      const { files } = faultyFileSystem((_, n) => (n === number ? 'ENOSPC' : undefined))
      await expect(createLocalFolders(join(tmp.path, 'new'), files)).rejects.toMatchObject({ code: 'NO_SPACE' })
    }
  })
})
