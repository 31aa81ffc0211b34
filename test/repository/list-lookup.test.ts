import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ID_BYTES } from '../../src/base/ids.ts'
import { encodeList } from '../../src/format/list.ts'
import { ListLookup } from '../../src/repository/list-lookup.ts'
import { ListBuilder } from '../../src/repository/lists.ts'
import { objectStore } from '../helpers/object-store.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const store = objectStore()

async function build(ids: Buffer, lengths: readonly number[]): Promise<ListLookup> {
  const builder = new ListBuilder(store.save)
  await builder.add(ids, lengths)
  const { content, size } = await builder.finish()
  return new ListLookup(store.load, content!, size)
}

test('finds the chunk that any byte is in', async () => {
  const anyNumbers = fc.array(fc.constantFrom(0, 1, 32, 33), {
    minLength: 1,
    maxLength: 300,
  })
  await fc.assert(
    fc.asyncProperty(anyNumbers, async (numbers) => {
      // The same id always has the same length, as the same bytes have.
      const lengths = numbers.map((number) => number + 1)
      const ids = numbers.map((number) => Buffer.alloc(ID_BYTES, number))
      const lookup = await build(Buffer.concat(ids), lengths)
      for (let i = 0, offset = 0; i < lengths.length; offset += lengths[i++]!) {
        const found = await lookup.chunkAt(offset)
        expect(found).toMatchObject({ offset, length: lengths[i] })
        expect(ids[i]!.equals(found.id)).toBe(true)
        expect(await lookup.chunkAt(offset + lengths[i]! - 1)).toEqual(found)
      }
      await expect(lookup.chunkAt(lookup.size)).rejects.toThrow(RangeError)
      await expect(lookup.chunkAt(-1)).rejects.toThrow(RangeError)
    }),
  )
})

test('loads a list once', async () => {
  const lookup = await build(seededBytes(1, 10_000 * ID_BYTES), new Array(10_000).fill(7))
  const before = store.loads
  await lookup.chunkAt(69_999)
  const height = store.loads - before
  expect(height).toBeGreaterThan(1)
  for (let i = 0; i < 7; i++) await lookup.chunkAt(69_999 - i)
  expect(store.loads - before).toBe(height)
})

test('lists that do not add up reject', async () => {
  const id = await store.save('list', encodeList(1, Buffer.alloc(2 * ID_BYTES), [3, 4]))
  await expect(new ListLookup(store.load, { height: 1, id }, 8).chunkAt(0)).rejects.toMatchObject({ code: 'CORRUPT' })
  const upper = await store.save(
    'list',
    encodeList(2, Buffer.concat([Buffer.from(id, 'hex'), Buffer.from(id, 'hex')]), [7, 8]),
  )
  const lookup = new ListLookup(store.load, { height: 2, id: upper }, 15)
  expect(await lookup.chunkAt(6)).toMatchObject({ offset: 3, length: 4 })
  await expect(lookup.chunkAt(14)).rejects.toMatchObject({ code: 'CORRUPT' })
})
