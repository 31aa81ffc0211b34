import { expect, test } from 'vitest'
import { forget } from '../../src/maintain/forget.ts'
import { listSnapshots } from '../../src/repository/snapshots.ts'
import { flipped, openMaintaining } from '../helpers/maintaining.ts'

test('removes snapshots, damaged ones too, and no packs; also during a prune', async () => {
  await using it = await openMaintaining()
  const [first, second, third] = [
    await it.store({ file: 'first' }, { timeMs: 1 }),
    await it.store({ file: 'second' }, { timeMs: 2 }),
    await it.store({ file: 'third' }, { timeMs: 3 }),
  ]
  it.change(`snapshots/${second.id}`, (bytes) => flipped(bytes, 40))
  const packs = it.packBytes()
  await using _lock = await it.repository.lock('prune')
  await forget(it.repository, [first.id, second.id])
  await forget(it.repository, [first.id])
  expect(await listSnapshots(it.repository)).toEqual([third])
  expect(it.packBytes()).toBe(packs)
})

test('is stopped by its signal', async () => {
  await using it = await openMaintaining()
  const stored = await it.store({ file: 'text' })
  const forgetting = forget(it.repository, [stored.id], { signal: AbortSignal.abort() })
  await expect(forgetting).rejects.toMatchObject({ code: 'INTERRUPTED' })
  expect(await listSnapshots(it.repository)).toEqual([stored])
})
