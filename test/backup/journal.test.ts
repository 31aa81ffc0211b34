import { chmodSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Journal } from '../../src/backup/journal.ts'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { ID_BYTES } from '../../src/base/ids.ts'
import { fileSignature } from '../../src/worker/file-signature.ts'
import { onSmallDisk } from '../helpers/small-disk.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'
import { asNobody } from '../helpers/unprivileged.ts'

const DAY_MS = 24 * 3600 * 1000
const CONTINUED = 'a backup of these paths did not finish: what it has read and stored is not read again'
const PART = { offset: 0, length: 5 }

let tmp: TemporaryDirectory
let path: ByteString
/** A minute after the file was written. */
let nowMs: number
const notices: string[] = []
beforeEach(async () => {
  notices.length = 0
  tmp = await temporaryDirectory()
  writeFileSync(join(tmp.path, 'file'), 'bytes')
  path = byteStringOf(join(tmp.path, 'file'))
  nowMs = Date.now() + 60_000
})
afterEach(() => tmp[Symbol.asyncDispose]())

const stats = () => statSync(join(tmp.path, 'file'), { bigint: true })

interface Given {
  readonly host?: string
  readonly paths?: readonly string[]
  readonly isFull?: boolean
  readonly startMs?: number
  readonly cacheDirectory?: string
}

const open = ({
  host = 'host',
  paths = ['/p'],
  isFull = false,
  startMs = nowMs,
  cacheDirectory = tmp.path,
}: Given = {}) =>
  new Journal({
    cacheDirectory,
    host,
    paths: paths.map(byteStringOf),
    isFull,
    startMs,
    notice: (text) => notices.push(text),
  })

/** Notes that the file was read, into a chunk of this id. */
const note = (journal: Journal, id = 1): void =>
  journal.add({
    path,
    signature: fileSignature(stats()),
    offset: 0,
    ids: new Uint8Array(ID_BYTES).fill(id),
    lengths: Uint32Array.of(5),
  })

/** Begins a backup that reads the file and does not finish. */
function interrupt(given: Given = {}, id = 1): void {
  using journal = open(given)
  note(journal, id)
}

/** The chunk of the file, as a backup that begins now knows it. */
function known(given: Given = {}): number | undefined {
  using journal = open(given)
  return journal.find(path, stats(), PART)?.ids[0]
}

const journals = (): string[] => readdirSync(join(tmp.path, 'journals'))

test('what one backup has read the next one knows, and is told so', () => {
  expect(known()).toBeUndefined()
  interrupt()
  expect(notices).toEqual([])
  expect(known()).toBe(1)
  expect(notices).toEqual([CONTINUED])
})

test('a backup that reads nothing writes nothing', () => {
  open().finish()
  expect(readdirSync(tmp.path)).toEqual(['file'])
})

test.each<[string, Given, Given, boolean]>([
  ['of other paths does not', { paths: ['/p', '/q'] }, {}, false],
  ['of another host does not', { host: 'other' }, {}, false],
  ['that reads everything does not know what one has read that does not', {}, { isFull: true }, false],
  ['that reads everything knows what another has read', { isFull: true }, { isFull: true }, true],
  ['that does not read everything knows what one has read that does', { isFull: true }, {}, true],
])('a backup %s', (_, before, after, isKnown) => {
  interrupt(before)
  expect(known(after)).toBe(isKnown ? 1 : undefined)
  expect(notices).toEqual(isKnown ? [CONTINUED] : [])
})

test('a file that may have changed since it was looked at is not known', () => {
  const { ctimeMs } = statSync(join(tmp.path, 'file'))
  interrupt({ startMs: Math.floor(ctimeMs) })
  expect(known()).toBeUndefined()
  interrupt({ startMs: Math.ceil(ctimeMs) + 3000 })
  expect(known()).toBe(1)
})

test('a file that has changed is not known', () => {
  interrupt()
  chmodSync(join(tmp.path, 'file'), 0o600)
  expect(known()).toBe(undefined)
})

test('what was known is noted again by whoever goes on, and the latest is asked first', () => {
  interrupt({}, 1)
  utimesSync(join(tmp.path, 'journals', journals()[0]!), 1e9, Date.now() / 1000 - 5)
  interrupt({}, 2)
  expect(journals()).toHaveLength(2)
  expect(known()).toBe(2)
})

describe('once a backup is published', () => {
  test('its own journal goes, and those before it of the same paths', () => {
    interrupt()
    interrupt()
    interrupt({ host: 'other' })
    const journal = open()
    note(journal)
    expect(journals()).toHaveLength(4)
    journal.finish()
    expect(journals()).toHaveLength(1)
    expect(known({ host: 'other' })).toBe(1)
  })

  test('what one has read that reads everything is kept for the next of its kind', () => {
    interrupt({ isFull: true })
    open().finish()
    expect(known({ isFull: true })).toBe(1)
    open({ isFull: true }).finish()
    expect(journals()).toEqual([])
  })

  test('what is a week old goes, whoever left it, and is not believed before', () => {
    interrupt({ host: 'other' })
    interrupt()
    writeFileSync(join(tmp.path, 'journals', 'not mine'), '')
    const startMs = Date.now() + 8 * DAY_MS
    expect(known({ startMs })).toBeUndefined()
    open({ startMs, paths: ['/another'] }).finish()
    expect(journals()).toEqual(['not mine'])
  })
})

test('what is damaged, foreign or none is passed over', () => {
  interrupt()
  const [name] = journals()
  for (const content of ['', 'some text', Buffer.alloc(10_000)]) {
    writeFileSync(join(tmp.path, 'journals', name!), content)
    expect(known()).toBeUndefined()
  }
  mkdirSync(
    join(
      tmp.path,
      'journals',
      name!.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
    ),
  )
  expect(known()).toBeUndefined()
  expect(notices).toEqual([])
})

describe('one notice, and no error, where', () => {
  const cannot = (reason: string): string =>
    `cannot note what is done (${reason}): should this backup not finish, the next one reads it again`

  test('a file is in the way', () => {
    const journal = open({ cacheDirectory: join(tmp.path, 'file') })
    note(journal)
    note(journal)
    journal.finish()
    expect(notices).toEqual([cannot('it is not a directory')])
  })

  test('the folder is read-only', async () => {
    mkdirSync(join(tmp.path, 'journals'))
    asNobody(tmp.path, { journals: 0o500 }, () => interrupt())
    expect(notices).toEqual([cannot('permission denied')])
  })

  test('the disk becomes full: what was written before is of use', (context) => {
    onSmallDisk(context, tmp.path, '200k', (directory) => {
      {
        using journal = open({ cacheDirectory: directory })
        for (let id = 1; id < 5000; id++) note(journal, id)
      }
      expect(notices).toEqual([cannot('no space left on the device')])
      expect(known({ cacheDirectory: directory })).toBe(1)
    })
  })
})
