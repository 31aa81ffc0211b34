import { forEachLimited } from '../base/async.ts'
import { ChainkeepError, throwIfInterrupted } from '../base/errors.ts'
import { ID_BYTES, objectIdAt } from '../base/ids.ts'
import { RECORD_HEADER_BYTES } from '../format/object.ts'
import type { Location } from '../repository/object-index.ts'
import { createPackedObjects, type PackedObject, setObject } from '../worker/packed-objects.ts'
import type { WriteResult, WriteTask } from '../worker/write.ts'
import type { FileWork } from './file-work.ts'
import type { RestoreJob } from './job.ts'
import { requireDamage } from './walk.ts'
import type { PackRead, Window } from './window.ts'

/** Ids that are looked up at once. */
const LOCATE_IDS = 4096

/**
 * Reads what the window needs, each pack front to back, and writes it; a chunk that several places need is read once. What
 * cannot be read in any pack that has it fails the files that need it. Rejects NO_SPACE, INTERRUPTED. Memory: one read for
 * each task of the pool.
 */
export async function writeWindow(job: RestoreJob, window: Window): Promise<void> {
  await locateChunks(job, window)
  const order = window.order()
  const reads = window.planReads(order, RECORD_HEADER_BYTES)
  await forEachLimited(reads, job.pool.capacity, (read) => writeRead(job, window, order, read))
}

async function locateChunks({ repository, options }: RestoreJob, window: Window): Promise<void> {
  if (window.count === 0) return
  const index = await repository.index()
  for (let from = 0; from < window.count; from += LOCATE_IDS) {
    throwIfInterrupted(options.signal)
    const to = Math.min(from + LOCATE_IDS, window.count)
    const locations = await index.locate('chunk', window.ids.subarray(from * ID_BYTES, to * ID_BYTES))
    for (const [i, location] of locations.entries()) {
      const write = from + i
      const fits = location?.plainLength === window.lengths[write]
      window.locate(write, fits ? location : undefined)
      if (fits) continue
      const chunk = `chunk ${objectIdAt(window.ids, write * ID_BYTES)}`
      const reason = location
        ? `is ${location.plainLength} bytes, not ${window.lengths[write]}`
        : 'is in no pack of the repository'
      window.fileOf(write).failure ??= { reason: `${chunk} ${reason}`, isDamage: true }
    }
  }
}

/** What is left to try for the one object of a read, and why the first copy would not do. */
interface Fallback {
  readonly reason: string
  readonly copies: readonly Location[]
}

async function writeRead(
  job: RestoreJob,
  window: Window,
  order: Uint32Array,
  read: PackRead,
  fallback?: Fallback,
): Promise<void> {
  throwIfInterrupted(job.options.signal)
  const { task, files } = describeTask(window, order, read)
  const outcome = await readAndWrite(job, read, task)
  if (outcome instanceof ChainkeepError) {
    if (outcome.code === 'NOT_FOUND') await (await job.repository.index()).refresh() // a prune has moved what was in it
    const parts = splitRead(window, order, read)
    const isWorthTrying = parts.length > 1 && outcome.code !== 'NOT_FOUND'
    for (const part of parts)
      if (isWorthTrying)
        await writeRead(job, window, order, part) // save what is readable
      else await writeOtherCopy(job, window, order, part, fallback ?? outcome.message)
    return
  }
  const { bytesWritten, failures } = outcome
  job.report.add('bytesWritten', bytesWritten)
  for (const failure of failures) {
    if ('object' in failure) continue
    if (failure.code === 'NO_SPACE') throw job.report.diskFull()
    files[failure.path]!.failure ??= { reason: failure.message, isDamage: false }
  }
  let bytesDone = lengthOf(window, order, read)
  const parts = failures.length > 0 ? splitRead(window, order, read) : [] // one for each object of the task
  for (const failure of failures) {
    if ('path' in failure) continue
    const part = parts[failure.object]!
    bytesDone -= lengthOf(window, order, part)
    await writeOtherCopy(job, window, order, part, fallback ?? failure.message)
  }
  job.report.advance(bytesDone)
}

/** Writes the object of a read that failed from another copy. If no copy will do, it fails the files that need it. */
async function writeOtherCopy(
  job: RestoreJob,
  window: Window,
  order: Uint32Array,
  read: PackRead,
  failed: string | Fallback,
): Promise<void> {
  const writes = order.subarray(read.from, read.to)
  const { reason, copies } =
    typeof failed === 'string' ? { reason: failed, copies: await otherCopies(job, window, writes[0]!, read) } : failed
  const [copy, ...rest] = copies
  if (!copy) {
    for (const write of writes) window.fileOf(write).failure ??= { reason, isDamage: true }
    return job.report.advance(lengthOf(window, order, read))
  }
  for (const write of writes) window.locate(write, copy)
  const length = RECORD_HEADER_BYTES + copy.storedLength
  const there = { pack: copy.pack, offset: copy.offset, length, from: read.from, to: read.to }
  await writeRead(job, window, order, there, { reason, copies: rest })
}

/** Where else the chunk of a write is, than where it was just read. */
async function otherCopies(
  { repository }: RestoreJob,
  window: Window,
  write: number,
  { pack, offset }: PackRead,
): Promise<Location[]> {
  const index = await repository.index()
  const copies = await index.locateCopies('chunk', window.ids.subarray(write * ID_BYTES, (write + 1) * ID_BYTES))
  return copies.filter(
    (copy) => copy.plainLength === window.lengths[write] && (copy.pack !== pack || copy.offset !== offset),
  )
}

/** Bytes of files that a read feeds. */
function lengthOf(window: Window, order: Uint32Array, { from, to }: PackRead): number {
  return order.subarray(from, to).reduce((sum, write) => sum + window.lengths[write]!, 0)
}

/** The same as one read for each object. */
function splitRead(window: Window, order: Uint32Array, { pack, from, to }: PackRead): PackRead[] {
  const parts: PackRead[] = []
  for (let start = from, end = from; start < to; start = end) {
    const write = order[start]!
    while (end < to && window.offsets[order[end]!] === window.offsets[write]) end++
    const length = RECORD_HEADER_BYTES + window.storedLengths[write]!
    parts.push({ pack, offset: window.offsets[write]!, length, from: start, to: end })
  }
  return parts
}

/** Answers, as an error, why the pack cannot be read. */
function readAndWrite(
  { repository, pool, buffers }: RestoreJob,
  { pack, offset, length }: PackRead,
  task: Omit<WriteTask, 'bytes'>,
): Promise<WriteResult | ChainkeepError> {
  return buffers.lend(length, async (into) => {
    let bytes: Uint8Array
    try {
      bytes = await repository.backend.get('data', pack, { offset, length, into })
    } catch (error) {
      return requireDamage(error)
    }
    return await pool.run('write', { ...task, bytes }, { bytes: length })
  })
}

/** `files` are those of the task's paths. */
function describeTask(
  window: Window,
  order: Uint32Array,
  { pack, offset, from, to }: PackRead,
): { task: Omit<WriteTask, 'bytes'>; files: FileWork[] } {
  const numbers = new Map<number, number>()
  const firsts: number[] = []
  const writes = new Float64Array((to - from) * 3)
  let last: number | undefined
  for (const [i, write] of order.subarray(from, to).entries()) {
    if (last === undefined || window.offsets[last] !== window.offsets[write]) firsts.push(write)
    last = write
    const file = window.fileNumbers[write]!
    let path = numbers.get(file)
    if (path === undefined) numbers.set(file, (path = numbers.size))
    writes.set([firsts.length - 1, path, window.fileOffsets[write]!], i * 3)
  }
  const objects = createPackedObjects(firsts.length)
  for (const [i, write] of firsts.entries()) setObject(objects, i, objectOf(window, write))
  const files = Array.from(numbers.keys(), (number) => window.files[number]!)
  const task = {
    file: `data/${pack}`,
    offset,
    objects,
    paths: files.map((file) => file.target),
    writes,
    skipZeros: Uint8Array.from(files, (file) => (file.skipZeros ? 1 : 0)),
  }
  return { task, files }
}

function objectOf(window: Window, write: number): PackedObject {
  return {
    kind: 'chunk',
    id: window.ids.subarray(write * ID_BYTES, (write + 1) * ID_BYTES),
    codec: window.codecs[write]!,
    storedLength: window.storedLengths[write]!,
    plainLength: window.lengths[write]!,
    offset: window.offsets[write]!,
  }
}
