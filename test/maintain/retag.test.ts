import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { encodeSnapshot } from '../../src/format/snapshot.ts'
import { forget } from '../../src/maintain/forget.ts'
import { prune } from '../../src/maintain/prune.ts'
import { changeTags, retag } from '../../src/maintain/retag.ts'
import { createCompressor } from '../../src/native/compress.ts'
import { acquireLock } from '../../src/repository/lock.ts'
import { listSnapshots, saveSnapshot } from '../../src/repository/snapshots.ts'
import { contentsOf, openMaintaining } from '../helpers/maintaining.ts'
import { publishing } from '../helpers/repository.ts'

test.each([
  [['b', 'a'], { add: ['c', 'a'] }, ['a', 'b', 'c']],
  [['a', 'b'], { remove: ['a', 'x'] }, ['b']],
  [['a', 'b'], { remove: ['a'], add: ['a'] }, ['a', 'b']],
  [['a', 'b'], { set: ['d', 'c', 'c'] }, ['c', 'd']],
  [['a', 'b'], { set: [] }, []],
])('%o changed by %o are %o', (tags, change, changed) => {
  expect(changeTags(tags, change)).toEqual(changed)
})

test('gives snapshots other tags, and thereby other ids', async () => {
  await using it = await openMaintaining()
  const first = await it.store({ file: 'first' }, { timeMs: 1, tags: ['a'] })
  const second = await it.store({ file: 'second' }, { timeMs: 2, tags: ['b'] })
  const [changed, ...others] = await retag(it.repository, [first, second], { add: ['b'] })
  expect(others).toEqual([])
  expect(changed).toMatchObject({ replaced: first.id, snapshot: { tags: ['a', 'b'], original: first.id } })
  const { replaced: _, ...stored } = changed!
  expect(await listSnapshots(it.repository)).toEqual([stored, second])
  expect(await contentsOf(it.repository, stored)).toEqual({ '/file': 'first' })

  const [again] = await retag(it.repository, [stored], { remove: ['b'] })
  expect(again).toMatchObject({ replaced: stored.id, snapshot: { tags: ['a'], original: first.id } })
  expect(it.list('locks')).toEqual([])
})

test('refuses for a snapshot that has been forgotten meanwhile: what it needs may be pruned away', async () => {
  await using it = await openMaintaining()
  const stored = await it.store({ file: 'text' })
  await forget(it.repository, [stored.id])
  await prune(it.repository)
  await expect(retag(it.repository, [stored], { add: ['x'] })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(it.list('snapshots')).toEqual([])
})

test('removes the old one only for a sound new one: one that is there and damaged is written again', async () => {
  await using it = await openMaintaining()
  const stored = await it.store({ file: 'text' })
  const [changed] = await retag(it.repository, [stored], { add: ['x'] })
  const [old, found] = [`snapshots/${stored.id}`, it.pathOf(`snapshots/${changed!.id}`)]
  const sound = readFileSync(found)
  for (const damaged of [Buffer.alloc(0), sound.subarray(0, -1), Buffer.from(sound).fill(0, 40, 60)]) {
    await it.repository.backend.put('snapshots', stored.id, [
      encodeSnapshot(stored.snapshot, createCompressor(3)).bytes,
    ])
    writeFileSync(found, damaged)
    expect(await retag(it.repository, [stored], { add: ['x'] })).toEqual([changed])
    expect(readFileSync(found)).toEqual(sound)
    expect(it.list('snapshots')).not.toContain(old)
  }
})

test('beside somebody who gives the old tags back, the old one stays', async () => {
  await using it = await openMaintaining()
  const stored = await it.store({ file: 'text' }, { tags: ['x'] })
  const [bare] = await retag(it.repository, [stored], { set: [] })
  const [tagged] = await retag(it.repository, [bare!], { add: ['x'] })
  await saveSnapshot(bare!.snapshot, publishing(it.repository)) // by somebody who is now about to remove the tagged one
  await using other = await acquireLock(it.repository.backend, 'write', it.repository.environment)
  await retag(it.repository, [bare!], { add: ['x'] })
  expect(it.list('snapshots')).toHaveLength(2)
  await other.release()
  await retag(it.repository, [bare!], { add: ['x'] })
  expect(await listSnapshots(it.repository)).toMatchObject([{ id: tagged!.id }])
})
