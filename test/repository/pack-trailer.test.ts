import { expect, test } from 'vitest'
import { parsePackId } from '../../src/base/ids.ts'
import { packLength, readPackTrailer } from '../../src/repository/pack-trailer.ts'
import { MemoryBackend, syntheticIds, syntheticPack } from '../helpers/synthetic-packs.ts'

async function backendWith(name: string, bytes: Uint8Array, kind: 'data' | 'meta' = 'data'): Promise<MemoryBackend> {
  const backend = new MemoryBackend()
  await backend.put(kind, name, [bytes])
  return backend
}

test.each([
  { objects: 1, reads: 1, says: 'a small pack' },
  { objects: 800, reads: 2, says: 'a trailer that the tail holds' },
  { objects: 5000, reads: 3, says: 'a trailer longer than the tail' },
])('$says is read in $reads reads', async ({ objects, reads }) => {
  const pack = syntheticPack('a', syntheticIds('a', objects))
  const backend = await backendWith(pack.id, pack.bytes)
  const entries = await readPackTrailer(backend, 'data', pack.id)
  expect(backend.reads).toBe(reads)
  expect(entries.length).toBe(objects)
  expect(entries.every((entry, i) => Buffer.compare(entry.id, pack.entries[i]!.id) === 0)).toBe(true)
  expect(entries.at(-1)).toMatchObject({ ...pack.entries.at(-1)!, id: expect.anything() })
  expect(packLength(entries)).toBe(pack.bytes.length)
})

test('a pack under the name of another is refused', async () => {
  const pack = syntheticPack('a', syntheticIds('a', 3))
  const other = parsePackId('ab'.repeat(32))
  const backend = await backendWith(other, pack.bytes)
  await expect(readPackTrailer(backend, 'data', other)).rejects.toMatchObject({ code: 'CORRUPT' })
})

test('a metadata pack among the data packs is refused', async () => {
  const pack = syntheticPack('a', syntheticIds('a', 3), 'tree')
  await expect(readPackTrailer(await backendWith(pack.id, pack.bytes), 'data', pack.id)).rejects.toMatchObject({
    code: 'BAD_FORMAT',
  })
  const right = await backendWith(pack.id, pack.bytes, 'meta')
  expect(await readPackTrailer(right, 'meta', pack.id)).toHaveLength(3)
})

test('any byte of header, trailer or footer that changes is noticed, and any cut', async () => {
  const pack = syntheticPack('a', syntheticIds('a', 3))
  const recordBytes = (from: number): boolean => from >= 16 && from < 16 + 3 * 42
  for (let at = 0; at < pack.bytes.length; at++) {
    if (recordBytes(at)) continue
    const changed = Uint8Array.from(pack.bytes)
    changed[at]! ^= 1
    const reading = readPackTrailer(await backendWith(pack.id, changed), 'data', pack.id)
    await expect(reading, `byte ${at}`).rejects.toMatchObject({ code: expect.stringMatching(/^(BAD_FORMAT|CORRUPT)$/) })
  }
  for (let length = 0; length < pack.bytes.length; length++) {
    const cut = await backendWith(pack.id, pack.bytes.subarray(0, length))
    await expect(readPackTrailer(cut, 'data', pack.id)).rejects.toMatchObject({
      code: expect.stringMatching(/^(BAD_FORMAT|TRUNCATED)$/),
    })
  }
})
