import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { raceCopying } from '../../../bench/micro/copying.ts'
import { raceIndex } from '../../../bench/micro/index.ts'
import { racePacks } from '../../../bench/micro/packs.ts'
import { measureProtecting } from '../../../bench/micro/protecting.ts'
import { createPlainFindCuts } from '../../../bench/micro/scan.ts'
import { raceWriting } from '../../../bench/micro/writing.ts'
import { createReferenceFindCuts, endsAtMost } from '../../../src/native/scan.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

test('the plain form of the scan finds the same cuts', () => {
  const parameters = { minBytes: 1024, averageBytes: 4096, maxBytes: 16_384, level: 1 }
  const bytes = new Uint8Array(randomBytes(1 << 20)).fill(0, 300_000, 400_000)
  const [plain, reference] = [createPlainFindCuts, createReferenceFindCuts].map((create) => {
    const ends = new Uint32Array(endsAtMost(bytes.length, parameters))
    const count = create(parameters)(bytes, 0, bytes.length, true, ends)
    return ends.slice(0, count)
  })
  expect(plain!.length).toBeGreaterThan(100)
  expect(plain).toEqual(reference)
})

test('memory is copied, shared or not', async () => {
  const { rows } = await raceCopying({ rounds: 1, leastMs: 0 })
  expect(rows.map(({ name }) => name)).toEqual([
    'shared, alike',
    'shared, unlike',
    'not shared, alike',
    'not shared, unlike',
  ])
  for (const { cells } of rows) expect(Object.keys(cells)).toEqual(['copyBytes', 'set'])
})

test('packs are made and read, and nothing is left behind', async () => {
  await using tmp = await temporaryDirectory()
  const { rows } = await racePacks(tmp.path, { rounds: 1, leastMs: 0 }, 2 << 20)
  expect(rows).toHaveLength(5)
  for (const { cells } of rows) {
    expect(Object.keys(cells)).toEqual(['stored as they are', 'compressed (auto)'])
    for (const cell of Object.values(cells)) expect(cell).toMatch(/^[1-9][\d ]*$/)
  }
  expect(readdirSync(tmp.path)).toEqual([])
})

test('packs are written past the page cache and through it, and nothing is left behind', async () => {
  await using tmp = await temporaryDirectory()
  const { rows } = await raceWriting(tmp.path, { rounds: 1, leastMs: 0 }, [1 << 20, 3 << 20])
  expect(rows.map(({ name }) => name)).toEqual(['1 MiB', '3 MiB'])
  for (const { cells } of rows) {
    expect(Object.keys(cells)).toEqual(['past the page cache', 'through it'])
    for (const cell of Object.values(cells)) expect(cell).toMatch(/^[1-9][\d ]*$/)
  }
  expect(readdirSync(tmp.path)).toEqual([])
})

test('the index finds what was put, in a process of its own, and nothing is left behind', async () => {
  await using tmp = await temporaryDirectory()
  const { rows } = await raceIndex(tmp.path, 20_000, 50)
  expect(rows.map(({ name }) => name)).toContain('look up what is not there, 128 at once, a second')
  for (const { cells } of rows) expect(Number.parseFloat(cells['']!)).toBeGreaterThan(0)
  expect(readdirSync(tmp.path)).toEqual([])
})

test('parity is written, and heals what is damaged, and nothing is left behind', async () => {
  await using tmp = await temporaryDirectory()
  const { rows, note } = await measureProtecting(tmp.path, 3e6, 1)
  expect(note).toMatch(/1\d\.\d % more space/)
  expect(rows.map(({ name }) => name)).toContain('repair packs, one to be healed')
  for (const { cells } of rows) expect(Number(cells.seconds)).toBeGreaterThan(0)
  expect(readdirSync(tmp.path)).toEqual([])
})
