import {
  closeSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { APPEND_ONLY, createFindKept, type Kept } from '../../src/backup/grown-files.ts'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { ChainkeepError } from '../../src/base/errors.ts'
import { DEFAULT_CUT_PARAMETERS } from '../../src/chunker/fastcdc.ts'
import type { FileNode } from '../../src/format/node.ts'
import { encodeNode } from '../../src/format/tree.ts'
import { ListBuilder } from '../../src/repository/lists.ts'
import { compilePatterns } from '../../src/repository/path-patterns.ts'
import { type CompareTask, runCompare } from '../../src/worker/compare.ts'
import { fileSignature } from '../../src/worker/file-signature.ts'
import type { WorkerPool } from '../../src/worker/pool.ts'
import { createTools } from '../../src/worker/tools.ts'
import { expectedChunks } from '../helpers/chunk-store.ts'
import { type ObjectStore, objectStore } from '../helpers/object-store.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

const MIB = 2 ** 20
const MAX = DEFAULT_CUT_PARAMETERS.maxBytes
const tools = createTools()

let tmp: TemporaryDirectory
let file: string
let path: ByteString
let store: ObjectStore
beforeEach(async () => {
  tmp = await temporaryDirectory()
  file = join(tmp.path, 'file')
  path = byteStringOf(file)
  store = objectStore()
})
afterEach(() => tmp[Symbol.asyncDispose]())

interface Known {
  readonly signature: string
  readonly node: FileNode
}

/** Writes the file, and what a backup would remember of it. */
async function remember(content: Buffer): Promise<Known> {
  writeFileSync(file, content)
  const { ids, lengths } = expectedChunks(content, DEFAULT_CUT_PARAMETERS)
  const builder = new ListBuilder(store.save)
  await builder.add(Buffer.from(ids.join(''), 'hex'), lengths)
  const node = {
    ...(await builder.finish()),
    name: 'file' as ByteString,
    type: 'file',
    mode: 0o600,
    uid: 0,
    gid: 0,
  } as const
  return { signature: fileSignature(lstatSync(file, { bigint: true })), node: { ...node, mtimeNs: 0n } }
}

interface Found {
  readonly kept: Kept | undefined
  /** What was compared. */
  readonly samples: readonly { readonly offset: number; readonly length: number }[]
  readonly bytesRead: number
}

async function find(
  { signature, node }: Known,
  { startMs = 1, appendOnly = ['file'], beforeComparing = () => {} } = {},
): Promise<Found> {
  const samples: { offset: number; length: number }[] = []
  const pool = {
    run(_: 'compare', task: CompareTask) {
      for (const [i, offset] of task.offsets.entries()) samples.push({ offset, length: task.lengths[i]! })
      beforeComparing()
      return runCompare(task, tools)
    },
  } as unknown as WorkerPool
  let bytesRead = 0
  const findKept = createFindKept({
    appendOnly: compilePatterns(appendOnly),
    load: store.load,
    pool,
    startMs,
    onBytesRead: (bytes) => (bytesRead += bytes),
  })
  const kept = await findKept(path, lstatSync(file, { bigint: true }), { signature, node: encodeNode(node) })
  return { kept, samples, bytesRead }
}

const change = (make: (content: Buffer) => Buffer): void => writeFileSync(file, make(readFileSync(file)))
const append = (bytes: number): void => change((content) => Buffer.concat([content, seededBytes('more', bytes)]))

function overwrite(bytes: Uint8Array, at: number): void {
  const fd = openSync(file, 'r+')
  writeSync(fd, bytes, 0, bytes.length, at)
  closeSync(fd)
}

/** Of a file, as it would be cut: where chunks begin. */
function starts(content: Buffer): number[] {
  let at = 0
  return expectedChunks(content, DEFAULT_CUT_PARAMETERS).lengths.map((length) => (at += length) - length)
}

describe('a file that has grown', () => {
  const content = seededBytes('grown', 5 * MIB)

  test('is kept up to where its last chunk began', async () => {
    const known = await remember(content)
    append(1)
    const { kept } = await find(known)
    expect(kept).toEqual({ content: known.node.content, size: content.length, end: starts(content).at(-1) })
  })

  test('by a step of zeros, which are then written to: up to where the last data did', async () => {
    const lastStart = starts(content).at(-1)!
    const known = await remember(Buffer.concat([content, Buffer.alloc(4 * MIB)]))
    overwrite(seededBytes('new', 2 * MIB), content.length) // as long as before
    const { kept } = await find(known)
    expect(kept?.end).toBeGreaterThanOrEqual(lastStart)
    expect(kept?.end).toBeLessThan(content.length)
  })

  test('and was cut off behind its data', async () => {
    const known = await remember(Buffer.concat([content, Buffer.alloc(4 * MIB)]))
    truncateSync(file, content.length)
    expect((await find(known)).kept?.end).toBeLessThan(content.length)
    truncateSync(file, starts(content).at(-1)! + 1)
    expect((await find(known)).kept?.end).toBe(starts(content).at(-1))
  })
})

describe('all is read', () => {
  const content = seededBytes('all', 5 * MIB)
  const zeros = Buffer.alloc(4 * MIB)

  test.each<[string, Buffer, () => void]>([
    [
      'what has another inode',
      content,
      () => {
        renameSync(file, `${file} of old`)
        writeFileSync(file, content)
        append(1)
      },
    ],
    ['what is as long as before and had no zeros at its end', content, () => change((now) => now)],
    ['what is shorter', content, () => truncateSync(file, content.length - 1)],
    [
      'what is cut off before its zeros',
      Buffer.concat([content, zeros]),
      () => truncateSync(file, content.length - MAX),
    ],
    ['what was nothing but zeros', zeros, () => append(MIB)],
    ['what was small', content.subarray(0, 4 * MIB - 1), () => append(MIB)],
    ['what is of one chunk', content.subarray(0, 100), () => append(1)],
    ['what was empty', Buffer.alloc(0), () => append(5 * MIB)],
  ])('of %s', async (_, before, make) => {
    const known = await remember(before)
    make()
    expect((await find(known)).kept).toBeUndefined()
  })

  test('of other files, of torn ones, and of those whose lists are lost or damaged', async () => {
    const known = await remember(content)
    append(1)
    expect((await find(known)).kept).toBeDefined()
    expect((await find(known, { appendOnly: ['other'] })).kept).toBeUndefined()
    expect((await find({ ...known, signature: '' })).kept).toBeUndefined()
    const [key] = [...store.objects.keys()].filter((name) => name.endsWith(known.node.content!.id))
    store.objects.set(key!, Buffer.from('damaged'))
    expect((await find(known)).kept).toBeUndefined()
    store.objects.delete(key!)
    expect((await find(known)).kept).toBeUndefined()
  })

  test('of what vanishes before it is compared', async () => {
    const known = await remember(content)
    append(1)
    expect((await find(known, { beforeComparing: () => rmSync(file, { force: true }) })).kept).toBeUndefined()
  })

  test('but what must stop the backup does', async () => {
    const known = await remember(content)
    append(1)
    const error = new ChainkeepError('INTERRUPTED', 'interrupted')
    store = { ...store, load: () => Promise.reject(error) }
    await expect(find(known)).rejects.toBe(error)
  })
})

describe('what is compared', () => {
  const content = seededBytes('compared', 40 * MIB)

  test('follows from the time; is the last chunk kept, and one in each stretch; and is little', async () => {
    const known = await remember(content)
    append(1)
    const { kept, samples, bytesRead } = await find(known)
    const all = starts(content)
    expect(samples.map(({ offset }) => offset)).toContain(all.at(-2))
    for (let to = kept!.end; to > kept!.end - 16 * MIB; to -= MIB)
      expect(samples.some(({ offset, length }) => offset < to && offset + length > to - MIB)).toBe(true)
    for (let i = 0; i < 8; i++) {
      const [from, to] = [i, i + 1].map((n) => ((kept!.end - 16 * MIB) * n) / 8)
      expect(samples.some(({ offset, length }) => offset < to! && offset + length > from!)).toBe(true)
    }
    expect(new Set(samples.map(({ offset }) => offset)).size).toBe(samples.length)
    expect(bytesRead).toBe(samples.reduce((sum, { length }) => sum + length, 0))
    expect(bytesRead).toBeLessThan(5 * MIB)
    const offsets = async (startMs: number): Promise<number[]> =>
      (await find(known, { startMs })).samples.map(({ offset }) => offset)
    expect(await offsets(1)).toEqual(samples.map(({ offset }) => offset))
    expect(await offsets(2)).not.toEqual(await offsets(1))
  })

  test('is everything, as time goes by', async () => {
    const known = await remember(content.subarray(0, 6 * MIB))
    append(1)
    const seen = new Set<number>()
    const all = starts(content.subarray(0, 6 * MIB)).slice(0, -1)
    for (let startMs = 1; startMs < 300 && seen.size < all.length; startMs++)
      for (const { offset } of (await find(known, { startMs })).samples) seen.add(offset)
    expect([...seen].sort((a, b) => a - b)).toEqual(all)
  })

  test('spoils it by one changed byte', async () => {
    const known = await remember(content)
    append(1)
    const { samples } = await find(known)
    for (const { offset, length } of samples.filter((_, i) => i % 5 === 0)) {
      const at = offset + length - 1
      const [byte] = content.subarray(at)
      overwrite(Uint8Array.of(byte! ^ 1), at)
      expect((await find(known)).kept).toBeUndefined()
      overwrite(Uint8Array.of(byte!), at)
    }
    expect((await find(known)).kept).toBeDefined()
  })

  test('and what is not compared this time may have changed unseen', async () => {
    const known = await remember(content)
    append(1)
    const { kept, samples } = await find(known)
    const isSampled = (at: number): boolean =>
      samples.some(({ offset, length }) => at >= offset && at < offset + length)
    const unseen = starts(content).find((at) => !isSampled(at))!
    overwrite(Uint8Array.of(content[unseen]! ^ 1), unseen)
    expect((await find(known)).kept).toEqual(kept)
  })

  test('misses none of 2 MiB that changed among the last 16, whatever the time', async () => {
    const known = await remember(content)
    append(1)
    const { kept } = await find(known)
    const now = readFileSync(file)
    const anyPlace = fc.integer({ min: kept!.end - 16 * MIB, max: kept!.end - 2 * MIB })
    await fc.assert(
      fc.asyncProperty(anyPlace, fc.nat(), async (at, startMs) => {
        overwrite(seededBytes('other', 2 * MIB), at)
        expect((await find(known, { startMs })).kept).toBeUndefined()
        overwrite(now.subarray(at, at + 2 * MIB), at)
      }),
      { numRuns: 15 },
    )
  })
})

/** A file as a node writes it: records one behind the other, zeros after them up to a multiple of `step`. */
class NodeFile {
  content: Buffer = Buffer.alloc(0)
  used = 0
  readonly step: number

  constructor(step: number) {
    this.step = step
  }

  append(record: Buffer): void {
    const end = this.used + record.length
    const size = Math.max(this.content.length, this.step === 0 ? end : Math.ceil(end / this.step) * this.step)
    this.content = Buffer.concat([this.content, Buffer.alloc(size - this.content.length)])
    record.copy(this.content, this.used)
    this.used = end
  }

  finish(): void {
    this.content = this.content.subarray(0, this.used)
  }
}

test('whatever an append-only file goes through, the lists are those of reading all of it', async () => {
  // Records of noise, of zeros, and of both.
  const anyRecord = fc
    .tuple(fc.nat(), fc.nat(2 * MIB), fc.nat(MIB))
    .map(([seed, noise, zeros]) =>
      Buffer.concat([seededBytes(seed, seed % 4 ? noise : 0), Buffer.alloc(seed % 3 ? 0 : zeros)]),
    )
  const anyStep = fc.constantFrom(0, MIB, 4 * MIB)
  const anyRecords = fc.array(anyRecord, { minLength: 1, maxLength: 4 })
  let keptAny = 0
  await fc.assert(
    fc.asyncProperty(
      anyStep,
      fc.nat(3 * MIB),
      anyRecords,
      anyRecords,
      fc.boolean(),
      async (step, more, before, after, finishes) => {
        const node = new NodeFile(step)
        node.append(seededBytes('begin', 3 * MIB + more))
        for (const record of before) node.append(record)
        const known = await remember(node.content)
        for (const record of after) node.append(record)
        if (finishes) node.finish()
        writeFileSync(file, node.content)

        const { kept } = await find(known)
        const builder = new ListBuilder(store.save)
        let from = 0
        if (kept) {
          keptAny++
          from = kept.end
          await builder.takeOver(store.load, kept.content, kept.size, kept.end)
        }
        const rest = expectedChunks(node.content.subarray(from), DEFAULT_CUT_PARAMETERS)
        await builder.add(Buffer.from(rest.ids.join(''), 'hex'), rest.lengths)
        const whole = (await remember(node.content)).node
        expect(await builder.finish()).toEqual({ size: whole.size, content: whole.content })
      },
    ),
    { numRuns: 25 },
  )
  expect(keptAny).toBeGreaterThan(12)
})

describe('the known append-only files', () => {
  const { matches } = compilePatterns(APPEND_ONLY)
  test.each([
    '/home/satoshi/.bitcoin/blocks/blk00000.dat',
    '/var/lib/litecoin/testnet4/blocks/rev01234.dat',
    '/geth/chaindata/ancient/chain/bodies.0012.cdat',
    '/geth/chaindata/ancient/chain/hashes.0000.rdat',
    '/geth/chaindata/ancient/state/account.index.cidx',
    '/geth/chaindata/ancient/bodies.cidx',
    '/geth/chaindata/ancient/chain/hashes.ridx',
  ])('%s', (name) => expect(matches(name as ByteString, false)).toBe(true))
  test.each([
    '/home/satoshi/.bitcoin/blocks/xor.dat',
    '/home/satoshi/.bitcoin/blocks/index/000005.ldb',
    '/photos/blk00000.dat',
    '/home/satoshi/.bitcoin/blocks/blk00000.dat.old',
    '/geth/chaindata/ancient/chain/bodies.meta',
    '/geth/chaindata/000001.cdat',
  ])('not %s', (name) => expect(matches(name as ByteString, false)).toBe(false))
})
