import { mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { damage } from '../../../bench/compare/damage.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

test('one byte in a hundred is damaged, over files of all sizes, and no time tells', async () => {
  await using tmp = await temporaryDirectory()
  await mkdir(join(tmp.path, 'deep'))
  const sizes: Readonly<Record<string, number>> = { a: 7, 'deep/b': 300_000, c: 0, d: 1_000_003 }
  for (const [name, size] of Object.entries(sizes)) await writeFile(join(tmp.path, name), Buffer.alloc(size))
  await utimes(join(tmp.path, 'd'), 1000, 1_600_000_000.123)
  const before = await stat(join(tmp.path, 'd'), { bigint: true })

  await damage(tmp.path)

  let changed = 0
  for (const [name, size] of Object.entries(sizes)) {
    const bytes = await readFile(join(tmp.path, name))
    expect(bytes.length).toBe(size)
    changed += bytes.filter((byte) => byte !== 0).length
  }
  expect(changed / 1_300_010).toBeCloseTo(0.01, 3)
  expect((await stat(join(tmp.path, 'd'), { bigint: true })).mtimeNs).toBe(before.mtimeNs)
})
