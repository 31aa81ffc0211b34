import { rmSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { backup } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { dumpFile } from '../../src/browse/dump.ts'
import { findEntry } from '../../src/browse/entries.ts'
import type { FileNode } from '../../src/format/node.ts'
import { createRepository, openTestRepository } from '../helpers/repository.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

test.each([0, 1, 100_000, 5_000_000])('a file of %i bytes, in order', async (length) => {
  await using tmp = await temporaryDirectory()
  const path = join(tmp.path, 'file')
  const content = seededBytes('dump', length)
  writeFileSync(path, content)
  await createRepository(tmp.path)
  await using repository = await openTestRepository(tmp.path)
  const { snapshot } = await backup(repository, { paths: [byteStringOf(path)] })
  const entry = await findEntry(repository.load, snapshot.tree, byteStringOf(path))
  if (entry === '/') throw new Error('no entry')
  const parts: Uint8Array[] = []
  for await (const part of dumpFile(repository.load, entry.node as FileNode)) parts.push(part)
  expect(Buffer.concat(parts).equals(content)).toBe(true)
})

test('what is missing is not passed over', async () => {
  await using tmp = await temporaryDirectory()
  const path = join(tmp.path, 'file')
  writeFileSync(path, seededBytes('missing', 1_000_000))
  await createRepository(tmp.path)
  await using repository = await openTestRepository(tmp.path)
  const { snapshot } = await backup(repository, { paths: [byteStringOf(path)] })
  const entry = await findEntry(repository.load, snapshot.tree, byteStringOf(path))
  if (entry === '/') throw new Error('no entry')
  const packs = join(tmp.path, 'repository/data')
  for (const folder of await readdir(packs)) rmSync(join(packs, folder), { recursive: true })
  const dumped = dumpFile(repository.load, entry.node as FileNode)
  await expect(dumped.next()).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
