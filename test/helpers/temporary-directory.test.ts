import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from './temporary-directory.ts'

test('the directory is there within the scope and gone after it', async () => {
  let path: string
  {
    await using tmp = await temporaryDirectory()
    path = tmp.path
    await writeFile(join(path, 'a'), 'b')
  }
  expect(existsSync(path)).toBe(false)
})
