import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { openRestoring, type Restoring, restoreInWindows } from '../helpers/restoring.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { storeSnapshot } from '../helpers/store-tree.ts'

/** Files of one chunk each; with `windowWrites` of 1, two of them fill a window. */
const FILES = Object.fromEntries(
  Array.from({ length: 30 }, (_, i) => [`f${String(i).padStart(2, '0')}`, seededBytes(i, 200)]),
)

/** Has `before` called ahead of every read of data, told how many there were before it. */
function watchReads(at: Restoring, before: (number: number) => Promise<void>): { count: number } {
  const { backend } = at.repository
  const get: Backend['get'] = backend.get.bind(backend)
  const reads = { count: 0 }
  backend.get = async (kind, name, range) => {
    if (kind === 'data') await before(reads.count++)
    return get(kind, name, range)
  }
  return reads
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate()
}

test('while a window is written the next is filled, and no more than that', async () => {
  await using at = await openRestoring()
  const snapshot = await storeSnapshot(at.repository, FILES)
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  watchReads(at, () => opened)
  const restoring = restoreInWindows(at, snapshot, 1)
  await until(() => existsSync(join(at.target, 'f03'))) // in the second window
  await setTimeout(50)
  const made = readdirSync(at.target).length
  open()
  const { result } = await restoring
  expect(result).toMatchObject({ filesRestored: 30, failureCount: 0 })
  expect(made).toBeLessThan(15)
  for (const [name, bytes] of Object.entries(FILES))
    expect(readFileSync(join(at.target, name)).equals(bytes)).toBe(true)
})

test('a file is finished after all its windows, whichever of them is written first', async () => {
  await using at = await openRestoring()
  const large = seededBytes('large', 3_000_000)
  const snapshot = await storeSnapshot(at.repository, { large, small: 'small' })
  const reads = watchReads(at, async (number) => {
    if (number === 0) await until(() => reads.count > 1) // that of the second window
    if (number === 0) await setTimeout(50)
  })
  const { result } = await restoreInWindows(at, snapshot, 1)
  expect(result).toMatchObject({ filesRestored: 2, bytesVerified: 3_000_005, failureCount: 0 })
})

describe('what ends one window ends the others:', () => {
  test.each([0, 1, 3, 7])('read %i fails', async (failing) => {
    await using at = await openRestoring()
    for (const [name, bytes] of Object.entries(FILES)) await storeSnapshot(at.repository, { [name]: bytes }) // a pack each
    const snapshot = await storeSnapshot(at.repository, FILES)
    const failure = new ChainkeepError('NO_SPACE', 'no space for what was read')
    const reads = watchReads(at, async (number) => {
      if (number === failing) throw failure
    })
    await expect(restoreInWindows(at, snapshot, 13)).rejects.toBe(failure) // reads are 14, 14 and 2 a window
    const { count } = reads
    expect(count).toBeLessThanOrEqual(failing + 11) // what two windows have begun, with four tasks at once each
    await setTimeout(20)
    expect(reads.count, 'nothing goes on').toBe(count)
  })

  test('reading trees fails', async () => {
    await using at = await openRestoring()
    const directory = Object.fromEntries(Object.keys(FILES).map((name) => [name, { directory: { name } }]))
    const snapshot = await storeSnapshot(at.repository, directory)
    const failure = new Error('a mistake')
    let loads = 0
    const { load } = at.repository
    Object.assign(at.repository, {
      load: (...object: Parameters<typeof load>) => (++loads > 10 ? Promise.reject(failure) : load(...object)),
    })
    await expect(restoreInWindows(at, snapshot, 1)).rejects.toBe(failure)
  })

  test('an interruption, and with “never” nothing is left that is not whole', async () => {
    await using at = await openRestoring()
    const snapshot = await storeSnapshot(at.repository, FILES)
    const controller = new AbortController()
    watchReads(at, async (number) => {
      if (number === 4) controller.abort()
    })
    const options = { signal: controller.signal, overwrite: 'never' } as const
    await expect(restoreInWindows(at, snapshot, 1, options)).rejects.toMatchObject({ code: 'INTERRUPTED' })
    for (const name of readdirSync(at.target))
      expect(readFileSync(join(at.target, name)).equals(FILES[name]!)).toBe(true)
  })
})
