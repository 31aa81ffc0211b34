import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { BackupOptions } from '../../src/backup/archiver.ts'
import { byteStringOf } from '../../src/base/bytes.ts'
import { RECORD_HEADER_BYTES, RECORD_SIGNATURE } from '../../src/format/object.ts'
import { repairSnapshots } from '../../src/maintain/repair-snapshots.ts'
import { retag } from '../../src/maintain/retag.ts'
import { listSnapshots } from '../../src/repository/snapshots.ts'
import { type BackingUp, backingUp } from '../helpers/backing-up.ts'
import { openTestRepository } from '../helpers/repository.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'

let at: BackingUp
beforeEach(async () => {
  at = await backingUp()
})
afterEach(() => at[Symbol.asyncDispose]())

const write = (name: string, bytes: number): void => {
  mkdirSync(join(at.source, name, '..'), { recursive: true })
  writeFileSync(join(at.source, name), seededBytes(name, bytes))
}
const backUp = (name: string): Partial<BackupOptions> => ({ paths: [byteStringOf(join(at.source, name))] })
/** Longer than a tick of the kernel's coarse clock: what is written before counts as older than what comes after. */
const settle = (): Promise<void> => setTimeout(60)
const text = (name: string, bytes: number): string => Buffer.from(seededBytes(name, bytes)).toString('latin1')

/** Packs, the oldest first. */
function packs(kind: 'data' | 'meta'): string[] {
  const folder = join(at.path, 'repository', kind)
  const files = readdirSync(folder).flatMap((each) =>
    readdirSync(join(folder, each)).map((name) => join(folder, each, name)),
  )
  return files.sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs)
}

/** Flips a bit in the content of every record. */
function damage(pack: string): void {
  const bytes = readFileSync(pack)
  for (let i = bytes.indexOf(RECORD_SIGNATURE); i !== -1; i = bytes.indexOf(RECORD_SIGNATURE, i + 1))
    bytes[i + RECORD_HEADER_BYTES]! ^= 1
  writeFileSync(pack, bytes)
}

test('what is lost is noticed for each of several sources, not only the one that is backed up first', async () => {
  write('one/a', 200_000)
  write('two/b', 200_000)
  await settle()
  await at.run(backUp('one'))
  await at.run(backUp('two'))
  rmSync(packs('data')[1]!)
  expect((await at.run(backUp('one'))).healed).toBeUndefined()
  const { healed, contents } = await at.run(backUp('two'))
  expect(healed!.lost).toBeGreaterThan(0)
  expect(healed!.healed).toBe(healed!.lost)
  expect(contents['two/b']).toBe(text('two/b', 200_000))
  expect((await at.run(backUp('one'))).snapshot.summary.bytesRead).toBe(0)
  const again = await at.run(backUp('two'))
  expect(again.snapshot.summary.bytesRead).toBe(0)
  expect(again.notices).toEqual([])
})

test('what is lost while the machine has no list of what it has seen is noticed, too', async () => {
  write('a', 200_000)
  await settle()
  await at.run()
  rmSync(packs('data')[0]!)
  const [repository] = readdirSync(join(at.path, 'cache'))
  rmSync(join(at.path, 'cache', repository!, 'packs'))
  const { healed, contents } = await at.run()
  expect(healed!.healed).toBe(healed!.lost)
  expect(contents).toEqual({ a: text('a', 200_000) })
})

test('damaged metadata is stored again, and not only said to be, also below what is lost', async () => {
  write('sub/a', 100_000)
  write('sub/b', 100_000)
  await settle()
  await at.run()
  write('c', 10)
  await at.run()
  damage(packs('meta')[0]!) // of which the lists are still needed
  rmSync(packs('data')[1]!) // so that it is looked at
  write('sub/c', 10)
  const { healed, contents } = await at.run() // which reads all of it
  expect(healed!.lost).toBeGreaterThan(1)
  expect(healed!.healed).toBeGreaterThan(0)
  const expected = { 'sub/a': 100_000, 'sub/b': 100_000, 'sub/c': 10, c: 10 }
  expect(contents).toEqual(
    Object.fromEntries(Object.entries(expected).map(([name, bytes]) => [name, text(name, bytes)])),
  )
})

test('nothing is taken over from what a snapshot was before it was repaired, whatever its tags say', async () => {
  write('a', 200_000)
  await settle()
  await at.run()
  write('b', 100)
  await settle()
  await at.run()
  rmSync(packs('data')[0]!)
  {
    await using repository = await openTestRepository(at.path)
    await repairSnapshots(repository, { forgetOriginals: true })
    const left = await listSnapshots(repository)
    expect(left.map(({ snapshot }) => snapshot.failureCount)).toEqual([1, 1])
    await retag(repository, left, { set: [] })
  }
  const { contents } = await at.run()
  expect(contents).toEqual({ a: text('a', 200_000), b: text('b', 100) })
})
