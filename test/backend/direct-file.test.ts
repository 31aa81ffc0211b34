import { readFileSync, writeFileSync } from 'node:fs'
import { type FileHandle, open, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ALIGNMENT, BLOCK_BYTES, DirectFile, openDirect } from '../../src/backend/direct-file.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

const NOISE = seededBytes('parts', 3 * BLOCK_BYTES)
/** Lengths about which something changes. */
const length = fc.tuple(fc.constantFrom(0, 1, ALIGNMENT, BLOCK_BYTES, 2 * BLOCK_BYTES), fc.integer({ min: -3, max: 3 }))
const part = length.map(([about, more]) =>
  NOISE.subarray(Math.max(0, more), Math.max(0, more) + Math.max(0, about + more)),
)

test('what is written in whatever parts is in the file, past the cache or through it', async () => {
  await using tmp = await temporaryDirectory()
  let count = 0
  const writes = fc.array(fc.array(part, { maxLength: 4 }), { maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(writes, fc.boolean(), async (calls, isPast) => {
      const path = join(tmp.path, String(count++))
      const cached = await open(path, 'wx')
      const direct = isPast ? await openDirect(path) : undefined // undefined, too, if this is no local disk
      const file = new DirectFile(cached, direct ?? (await open(path, 'r+')))
      for (const parts of calls) await file.write(parts)
      if (isPast) await file.sync()
      await file.close()
      expect(readFileSync(path).equals(Buffer.concat(calls.flat()))).toBe(true)
    }),
    { numRuns: 40 },
  )
})

/** A handle of which one call after another ends as `answers` say, the rest as it does. */
function answering(handle: FileHandle, answers: (Error | number)[]): FileHandle {
  const write = async (bytes: Uint8Array, offset: number, bytesToWrite: number, position: number) => {
    const answer = answers.shift() ?? bytesToWrite
    if (answer instanceof Error) throw answer
    return await handle.write(bytes, offset, answer, position)
  }
  return new Proxy(handle, {
    get: (target, key) => {
      const value: unknown = key === 'write' ? write : Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

test('a disk that will not have it gets it through the cache; one that takes less is asked again', async () => {
  await using tmp = await temporaryDirectory()
  const path = join(tmp.path, 'file')
  const refusal = Object.assign(new Error('no'), { code: 'EINVAL' })
  const direct = answering(await open(path, 'wx'), [ALIGNMENT, BLOCK_BYTES / 2, refusal])
  const file = new DirectFile(await open(path, 'r+'), direct)
  await file.write([NOISE, NOISE.subarray(5)])
  await file.sync()
  await file.close()
  expect(readFileSync(path).equals(Buffer.concat([NOISE, NOISE.subarray(5)]))).toBe(true)
})

test('what could not be written is told by the call after, and by the last', async () => {
  await using tmp = await temporaryDirectory()
  for (const answer of [Object.assign(new Error('full'), { code: 'ENOSPC' }), 0]) {
    const path = join(tmp.path, String(answer))
    const file = new DirectFile(await open(path, 'wx'), answering(await open(path, 'r+'), [answer]))
    await file.write([NOISE.subarray(0, BLOCK_BYTES)])
    const failure = answer === 0 ? expect.any(ChainkeepError) : answer
    await expect(file.write([NOISE.subarray(0, BLOCK_BYTES)])).rejects.toEqual(failure)
    await expect(file.sync()).rejects.toEqual(failure)
    await expect(file.close()).rejects.toEqual(failure)
  }
})

test('a local disk is known as such', async ({ skip }) => {
  await using tmp = await temporaryDirectory()
  if ((await statfs(tmp.path)).type !== 0xef53) skip('not on ext4')
  const path = join(tmp.path, 'file')
  writeFileSync(path, '')
  await using direct = await openDirect(path)
  expect(direct).toBeDefined()
})

test('where there is no disk of this machine, nothing goes past the cache', async () => {
  expect(await openDirect('/proc/self/comm')).toBeUndefined()
  expect(await openDirect('/nowhere/at/all')).toBeUndefined()
})
