import { expect, test } from 'vitest'
import { forget } from '../../src/maintain/forget.ts'
import { prune } from '../../src/maintain/prune.ts'
import { changeTags, retag } from '../../src/maintain/retag.ts'
import { listSnapshots } from '../../src/repository/snapshots.ts'
import { contentsOf, openMaintaining } from '../helpers/maintaining.ts'

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
