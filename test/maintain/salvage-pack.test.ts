import { truncateSync } from 'node:fs'
import { basename } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type PackId, packIdAt, parsePackId } from '../../src/base/ids.ts'
import { recordLength } from '../../src/format/object.ts'
import type { PackEntry } from '../../src/format/pack.ts'
import { salvagePack, walkRecords } from '../../src/maintain/salvage-pack.ts'
import { readPackTrailer } from '../../src/repository/pack-trailer.ts'
import { flipped, type Maintaining, openMaintaining } from '../helpers/maintaining.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

const hex = (entries: Iterable<PackEntry>): string[] => Array.from(entries, ({ id }) => packIdAt(id))

interface OnePack {
  readonly file: string
  readonly id: PackId
  readonly entries: PackEntry[]
  readonly ids: string[]
}

async function onePack(it: Maintaining): Promise<OnePack> {
  await it.store({ file: seededBytes('file', 5000), text: 'text '.repeat(2000) })
  const [file] = it.list('data')
  const id = parsePackId(basename(file!))
  const entries = await readPackTrailer(it.repository.backend, 'data', id)
  return { file: file!, id, entries, ids: hex(entries) }
}

const salvage = async (it: Maintaining, { id }: OnePack) => salvagePack(it.repository, { packClass: 'data', id })

test('finds all of a sound pack, with and without its trailer', async () => {
  await using it = await openMaintaining()
  const pack = await onePack(it)
  const byTrailer = await salvage(it, pack)
  expect(byTrailer).toMatchObject({ entries: pack.entries, objects: pack.entries.length })
  it.change(pack.file, (bytes) => flipped(bytes, bytes.length - 1))
  const byWalking = await salvage(it, pack)
  expect(byWalking.objects).toBeUndefined()
  expect(hex(byWalking.entries)).toEqual(pack.ids)
  expect(byWalking.entries.map(({ offset }) => offset)).toEqual(pack.entries.map(({ offset }) => offset))
})

test('leaves out the damaged object, with and without the trailer', async () => {
  await using it = await openMaintaining()
  const pack = await onePack(it)
  const others = pack.ids.filter((_, i) => i !== 3)
  for (const within of [0, 20, 32, recordLength(pack.entries[3]!) - 1]) {
    it.change(pack.file, (bytes) => flipped(bytes, pack.entries[3]!.offset + within))
    expect(hex((await salvage(it, pack)).entries)).toEqual(others)
    it.change(pack.file, (bytes) => flipped(bytes, bytes.length - 1))
    expect(hex((await salvage(it, pack)).entries)).toEqual(others)
    it.change(pack.file, (bytes) => flipped(flipped(bytes, bytes.length - 1), pack.entries[3]!.offset + within))
  }
})

test('finds what is before the end of a pack that is cut off', async () => {
  await using it = await openMaintaining()
  const pack = await onePack(it)
  const last = pack.entries[6]!
  truncateSync(it.pathOf(pack.file), last.offset + recordLength(last) - 1)
  expect(hex((await salvage(it, pack)).entries)).toEqual(pack.ids.slice(0, 6))
})

test('finds all records in any surroundings', async () => {
  await using it = await openMaintaining()
  const pack = await onePack(it)
  const file = Buffer.from(await it.repository.backend.get('data', pack.id))
  const records = pack.entries.map((entry) => file.subarray(entry.offset, entry.offset + recordLength(entry)))
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map(Buffer.from),
    fc.nat(records.length - 1).map((i) => records[i]!.subarray(0, 40)), // a header with nothing behind it
    fc.constant(Buffer.from('CKOB')),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(noise, fc.nat(records.length - 1)), { maxLength: 12 }), (parts) => {
      const bytes = Buffer.concat(parts.flatMap(([before, i]) => [before, records[i]!]))
      expect(hex(walkRecords(bytes, 'noise'))).toEqual(parts.map(([, i]) => pack.ids[i]))
    }),
  )
})

test('takes no chunk for a tree: what a pack of data holds are chunks', async () => {
  await using it = await openMaintaining()
  const pack = await onePack(it)
  const [meta] = it.list('meta')
  const trees = await it.repository.backend.get('meta', basename(meta!))
  it.change(pack.file, (bytes) => Buffer.concat([bytes.subarray(0, -1), trees]))
  const found = await salvage(it, pack)
  expect(hex(found.entries)).toEqual(pack.ids)
  expect(hex(walkRecords(found.bytes, 'both')).length).toBeGreaterThan(pack.ids.length)
})
