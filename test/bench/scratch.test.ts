import { existsSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withScratch } from '../../bench/scratch.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

test('a scratch directory goes away with what is in it, also after a failure', async () => {
  await using tmp = await temporaryDirectory()
  const path = await withScratch(tmp.path, async (path) => {
    await writeFile(join(path, 'file'), 'text')
    return path
  })
  expect(existsSync(path)).toBe(false)
  const fail = async (): Promise<never> => {
    throw new Error('no')
  }
  await expect(withScratch(tmp.path, fail)).rejects.toThrow('no')
  expect(readdirSync(tmp.path)).toEqual([])
  expect(process.listenerCount('SIGTERM')).toBe(0)
})
