import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ItemAction } from '../../src/backup/build-tree.ts'
import { Counters } from '../../src/backup/counters.ts'
import { normalisePaths, type WalkOptions } from '../../src/backup/walk.ts'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import type { ProgressState } from '../../src/base/progress.ts'
import { type Failure, MAX_LISTED_FAILURES, type SnapshotSummary } from '../../src/format/snapshot.ts'
import { compilePatterns } from '../../src/repository/path-patterns.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

const FILE = '/f' as ByteString
const NONE = { objectsAdded: 0, chunksAdded: 0, bytesAdded: 0, bytesStored: 0 }

test('adds up files by what happened to them', () => {
  const items: [string, ItemAction, number][] = []
  const counters = new Counters({ onItem: ({ path, action, size }) => items.push([path, action, size]) })
  const files: [ItemAction, number][] = [
    ['new', 10],
    ['new', 1],
    ['changed', 100],
    ['unmodified', 1000],
    ['unmodified', 0],
  ]
  for (const [action, size] of files) counters.file(FILE, action, size)
  counters.directory()
  counters.read(111)
  counters.read(5)
  const stats = { objectsAdded: 9, chunksAdded: 4, bytesAdded: 50, bytesStored: 40 }
  expect(counters.summary(stats)).toEqual({
    filesNew: 2,
    filesChanged: 1,
    filesUnmodified: 2,
    directories: 1,
    totalFiles: 5,
    totalBytes: 1111,
    bytesRead: 116,
    bytesAdded: 50,
    bytesStored: 40,
    chunksAdded: 4,
    durationMs: expect.any(Number),
  })
  expect(items).toEqual(files.map(([action, size]) => ['/f', action, size]))
})

test('counts all failures, tells of all, lists the first', () => {
  const heard: Failure[] = []
  const counters = new Counters({ onFailure: (failure) => heard.push(failure) })
  for (let i = 0; i < MAX_LISTED_FAILURES + 5; i++) counters.fail({ path: `/${i}` as ByteString, reason: 'gone' })
  expect([counters.failureCount, counters.failures.length, heard.length]).toEqual([
    MAX_LISTED_FAILURES + 5,
    MAX_LISTED_FAILURES,
    MAX_LISTED_FAILURES + 5,
  ])
  expect(counters.failures[0]).toEqual({ path: '/0', reason: 'gone' })
})

describe('progress', () => {
  let tmp: TemporaryDirectory
  let states: ProgressState[]
  let counters: Counters
  let walk: WalkOptions
  beforeEach(async () => {
    tmp = await temporaryDirectory()
    mkdirSync(join(tmp.path, 'd'))
    for (let i = 0; i < 100; i++) writeFileSync(join(tmp.path, 'd', `${i}`), 'x'.repeat(i))
    states = []
    counters = new Counters({ progress: (state) => states.push(state) })
    walk = {
      paths: normalisePaths([byteStringOf(tmp.path), '/gone' as ByteString]),
      excludes: compilePatterns([]),
      excludeIfPresent: [],
      oneFileSystem: false,
      leaveOut: [],
      onLeftOut: () => expect.unreachable(),
      onError: () => expect.unreachable(),
    }
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(async () => {
    counters.stop()
    vi.useRealTimers()
    await tmp[Symbol.asyncDispose]()
  })

  /** What a report says now. */
  const report = (): ProgressState => {
    counters.read(0)
    return states.at(-1)!
  }
  /** Lets a scan run to its end. */
  const turns = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
  }

  test('tells what is done, and what goes wrong', () => {
    expect(report()).toEqual({ phase: 'backing up', filesDone: 0, bytesDone: 0, errorCount: 0 })
    counters.read(500)
    counters.fail({ path: FILE, reason: 'gone' })
    expect(report()).toMatchObject({ bytesDone: 500, errorCount: 1 })
    counters.file(FILE, 'unmodified', 900)
    expect(report()).toMatchObject({ filesDone: 1, bytesDone: 900 })
  })

  test("takes the parent's totals for the best guess, until they are surpassed", async () => {
    counters.expect({ totalFiles: 2, totalBytes: 100 } as SnapshotSummary)
    counters.scanLater(walk)
    vi.advanceTimersByTime(5000)
    await turns()
    expect(report()).toMatchObject({ totalFiles: 2, totalBytes: 100 })
    for (let i = 0; i < 3; i++) counters.file(FILE, 'new', 50)
    expect(report()).toMatchObject({ totalFiles: 3, totalBytes: 150 })
  })

  test('without a parent counts the source once the run has lasted a second, without a word', async () => {
    counters.scanLater(walk)
    vi.advanceTimersByTime(900)
    await turns()
    expect(report()).not.toHaveProperty('totalFiles')
    vi.advanceTimersByTime(200)
    expect(report(), 'not at once: the backup goes first').not.toHaveProperty('totalFiles')
    await turns()
    expect(report()).toMatchObject({ totalFiles: 100, totalBytes: 4950 })
  })

  test('stops counting when the run has ended', async () => {
    counters.scanLater(walk)
    vi.advanceTimersByTime(1100)
    counters.stop()
    await turns()
    expect(report()).not.toHaveProperty('totalFiles')
  })

  test('never counts for nobody', () => {
    new Counters({}).scanLater(walk)
    expect(vi.getTimerCount()).toBe(0)
    expect(new Counters({}).summary(NONE).totalFiles).toBe(0)
  })
})
