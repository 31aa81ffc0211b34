/**
 * Puts synthetic objects into an index, or looks them up, and prints what that took as JSON: a process of its own for each,
 * so that the one finds nothing in memory that the other has left there. Arguments: `put` or `look`, directory, packs, and for
 * how many milliseconds each kind of look-up is repeated.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Backend } from '../../src/backend/backend.ts'
import { ID_BYTES, type PackId, packIdAt } from '../../src/base/ids.ts'
import type { PackEntry } from '../../src/format/pack.ts'
import { ObjectIndex } from '../../src/repository/object-index.ts'
import { type LookFigures, OBJECTS_PER_PACK, type PutFigures } from './measure.ts'

const BATCHES = [128, 1024] as const

async function put(directory: string, packs: number): Promise<PutFigures> {
  await using index = await ObjectIndex.open({ backend: backendOf(0), directory })
  let spentMs = 0
  for (let pack = 0; pack < packs; pack++) {
    const entries = entriesOf(pack)
    const start = performance.now()
    await index.addPack(packId(pack), 2 ** 29, entries)
    spentMs += performance.now() - start
  }
  return { perSecond: (packs * OBJECTS_PER_PACK * 1000) / spentMs, peakBytes: peakBytes() }
}

async function look(directory: string, packs: number, leastMs: number): Promise<LookFigures> {
  const start = performance.now()
  await using index = await ObjectIndex.open({ backend: backendOf(packs), directory })
  const openSeconds = (performance.now() - start) / 1000
  const random = (below: number): number => Math.floor(Math.random() * below)
  const inOrder = (n: number): Uint8Array => idsFrom(random(packs), random(OBJECTS_PER_PACK - n), n)
  const anywhere = (n: number): Uint8Array =>
    Buffer.concat(Array.from({ length: n }, () => idsFrom(random(packs), random(OBJECTS_PER_PACK), 1)))
  const nowhere = (n: number): Uint8Array => idsFrom(packs + random(1e6), 0, n)
  const perSecond: Record<string, number> = {}
  for (const size of BATCHES) {
    perSecond[`there, in order of storing, ${size} at once`] = await rate(index, inOrder, size, size, leastMs)
    perSecond[`there, at random, ${size} at once`] = await rate(index, anywhere, size, size, leastMs)
    perSecond[`not there, ${size} at once`] = await rate(index, nowhere, size, 0, leastMs)
  }
  return { openSeconds, perSecond, peakBytes: peakBytes() }
}

async function rate(
  index: ObjectIndex,
  makeIds: (count: number) => Uint8Array,
  size: number,
  expected: number,
  leastMs: number,
): Promise<number> {
  let spentMs = 0
  let done = 0
  while (spentMs < leastMs) {
    const ids = makeIds(size)
    const start = performance.now()
    const found = await index.locate('chunk', ids)
    spentMs += performance.now() - start
    done += size
    const count = found.filter(Boolean).length
    if (count !== expected) throw new Error(`${count} of ${expected} found`)
  }
  return (done * 1000) / spentMs
}

/** Lists packs that are nowhere. */
function backendOf(packs: number): Backend {
  const never = (): never => {
    throw new Error('there are no packs to read')
  }
  return {
    location: 'nowhere',
    localDirectory: undefined,
    writer: '',
    async *list(kind) {
      if (kind === 'data') for (let pack = 0; pack < packs; pack++) yield packId(pack)
    },
    put: never,
    replace: never,
    begin: never,
    get: never,
    stat: never,
    remove: never,
    putBriefly: never,
    touch: never,
    clock: never,
    [Symbol.asyncDispose]: async () => {},
  }
}

const packId = (pack: number): PackId => packIdAt(createHash('sha256').update(`pack ${pack}`).digest())

function idsFrom(pack: number, first: number, count: number): Uint8Array {
  const ids = Buffer.allocUnsafeSlow(count * ID_BYTES)
  for (let i = 0; i < count; i++)
    createHash('sha256')
      .update(`${pack} ${first + i}`)
      .digest()
      .copy(ids, i * ID_BYTES)
  return ids
}

function entriesOf(pack: number): PackEntry[] {
  const ids = idsFrom(pack, 0, OBJECTS_PER_PACK)
  return Array.from({ length: OBJECTS_PER_PACK }, (_, i) => ({
    id: ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES),
    kind: 'chunk',
    codec: 1,
    offset: 16 + i * 50_000,
    storedLength: 40_000 + (i % 9973),
    plainLength: 65_536 + (i % 9973),
  }))
}

/** Linux: the most that was resident, mapped tables included. */
function peakBytes(): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1024
}

const [phase, directory, packs, leastMs] = process.argv.slice(2)
const figures = await (phase === 'put' ? put : look)(directory!, Number(packs), Number(leastMs))
console.log(JSON.stringify(figures))
