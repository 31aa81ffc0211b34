import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, type TestContext, test } from 'vitest'
import { compareTrees } from '../helpers/compare-trees.ts'
import { type CliResult, runCli } from '../helpers/run-cli.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { isComplete } from './form.ts'
import { makePlace, type Place } from './place.ts'
import { growSource, makeSource } from './source.ts'

const DISK_MIB = isComplete ? 16 : 6
const KIB = 1024

const range = (from: number, to: number, step: number): number[] =>
  Array.from({ length: 1 + (to - from) / step }, (_, i) => from + i * step)

/** Mounts a small disk at `directory`, empties it at the end of the scope, and skips the test where that takes more rights. */
function smallDisk({ skip }: TestContext, directory: string): Disposable {
  mkdirSync(directory, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'none', directory], { stdio: 'ignore' })
  } catch {
    skip('mounting a file system takes root')
  }
  return { [Symbol.dispose]: () => void execFileSync('umount', [directory]) }
}

/** Leaves so many bytes free, until the end of the scope. */
function fill(directory: string, free: number): Disposable {
  const filler = join(directory, 'of-somebody-else')
  const { bavail, bsize } = statfsSync(directory)
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - free)))
  return { [Symbol.dispose]: () => rmSync(filler) }
}

/** The lines of an error: one sentence that says what to do. */
const FULL =
  /^(?:chainkeep: cannot remove .*\n)*chainkeep: cannot write .*: no space left on the device; free some space there and run it again\n$/

/** Nothing but what a backup that found the disk full has stored: the next goes on with it, or a prune frees it. */
const FINE =
  /^(?:chainkeep: (?:a backup of these paths did not finish: .*|.* nothing that a snapshot needs; "chainkeep prune" .*)\n)*$/

describe('of a repository on a disk that is full', () => {
  interface Full extends AsyncDisposable {
    readonly place: Place
    chainkeep(...argv: string[]): Promise<CliResult>
    /** Backs the source up; it must succeed. */
    backUp(): Promise<void>
    /** Every snapshot is whole, and the latest is what the source was at the last `backUp` that succeeded. */
    expectWhole(): Promise<void>
  }

  async function openFull(context: TestContext): Promise<Full> {
    const place = makePlace()
    const disk = smallDisk(context, place.repository)
    const chainkeep = (...argv: string[]): Promise<CliResult> => runCli(place.path, argv)
    const succeed = async (...argv: string[]): Promise<void> => {
      const { code, stderr } = await chainkeep(...argv)
      expect([code, stderr]).toEqual([0, expect.stringMatching(FINE)])
    }
    let copy = ''
    makeSource(place.source, 10)
    await succeed('init')
    return {
      place,
      chainkeep,
      async backUp() {
        await succeed('backup', place.source)
        copy = place.newCopy()
        execFileSync('cp', ['-a', place.source, copy])
      },
      async expectWhole() {
        await succeed('check', '--read-data')
        await succeed('restore', `latest:${place.source}`, '--target', place.target)
        expect(compareTrees(copy, place.target, { root: false })).toEqual([])
        rmSync(place.target, { recursive: true })
        expect(readdirSync(join(place.repository, 'tmp'))).toEqual([])
      },
      async [Symbol.asyncDispose]() {
        disk[Symbol.dispose]()
        await place[Symbol.asyncDispose]()
      },
    }
  }

  test('a backup fails with a sentence, wherever the room ends, and loses nothing', {
    timeout: 600_000,
  }, async (context) => {
    await using full = await openFull(context)
    const { place } = full
    await full.backUp()
    const codes = new Set<number>()
    for (const [hour, free] of (isComplete ? range(0, 400, 10) : [0, 8, 100, 220, 400]).entries()) {
      growSource(place.source, hour + 1, 5)
      {
        using _ = fill(place.repository, free * KIB)
        const { code, stderr } = await full.chainkeep('backup', '--quiet', place.source)
        expect([code, stderr]).toEqual(code === 0 ? [0, ''] : [1, expect.stringMatching(FULL)])
        codes.add(code)
        if (code !== 0) await full.expectWhole()
      }
      await full.backUp()
    }
    await full.expectWhole()
    expect([...codes].sort()).toEqual([0, 1])
  })

  test('a prune that finds no room to write packs again loses nothing, and succeeds when there is', async (context) => {
    await using full = await openFull(context)
    const { place } = full
    await full.backUp()
    rmSync(join(place.source, 'blocks', 'blk00000.dat'))
    await full.backUp()
    await full.chainkeep('forget', '--keep-last', '1')
    {
      using _ = fill(place.repository, 100 * KIB)
      const { code, stderr } = await full.chainkeep('prune', '--quiet', '--max-unused', '0')
      expect([code, stderr]).toEqual([1, expect.stringMatching(FULL)])
      await full.expectWhole()
    }
    expect((await full.chainkeep('prune', '--max-unused', '0')).code).toBe(0)
    await full.expectWhole()
  })

  test('forget and prune make room on it, to the last block full as it is', async (context) => {
    await using full = await openFull(context)
    const { place } = full
    writeFileSync(join(place.path, 'large'), seededBytes('large', 1_000_000))
    expect((await full.chainkeep('backup', join(place.path, 'large'))).code).toBe(0)
    await full.backUp()
    using _ = fill(place.repository, 0)
    expect((await full.chainkeep('prune', '--quiet')).stderr).toBe('') // there is a reserve
    const { code, stderr } = await full.chainkeep(
      'forget',
      '--quiet',
      'latest~1',
      '--prune',
      '--max-unused',
      'unlimited',
    )
    expect([code, stderr]).toEqual([0, ''])
    expect(statfsSync(place.repository).bavail * 4096).toBeGreaterThan(1_000_000)
    growSource(place.source, 1, 10)
    await full.backUp()
    await full.expectWhole()
  })
})

test('a restore to a disk that is full fails with a sentence, wherever the room ends, and the next one completes it', async (context) => {
  await using place = makePlace()
  using _ = smallDisk(context, place.target)
  makeSource(place.source, 10)
  expect((await runCli(place.path, ['init'])).code).toBe(0)
  expect((await runCli(place.path, ['backup', place.source])).code).toBe(0)
  const restore = ['restore', `latest:${place.source}`, '--target', place.target]
  for (const free of isComplete ? range(0, 1150, 50) : [0, 400, 1150]) {
    {
      using _ = fill(place.target, free * KIB)
      const { code, stderr } = await runCli(place.path, restore)
      expect(stderr).toMatch(/^(?:chainkeep: .*\n)*chainkeep: the disk of .* is full: free up to .*\n$/)
      expect(code).toBe(1)
    }
    expect((await runCli(place.path, restore)).code).toBe(0)
    expect(compareTrees(place.source, place.target, { root: false })).toEqual([])
    for (const name of readdirSync(place.target)) rmSync(join(place.target, name), { recursive: true })
  }
})
