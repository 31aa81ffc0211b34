import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ID_BYTES, type SnapshotId } from '../../src/base/ids.ts'
import { recordLength } from '../../src/format/object.ts'
import type { PackClass } from '../../src/format/pack.ts'
import { PACK_BYTES, WriteSession } from '../../src/repository/write-session.ts'
import { isOnDisk } from './form.ts'

/** A folder, in memory if that can be, for what is written thousands of times. */
export interface Place extends AsyncDisposable {
  readonly path: string
  /** Of the repository. Its index really lies here; all else may be in memory. */
  readonly repository: string
  readonly cache: string
  readonly source: string
  readonly target: string
  /** What each snapshot must be restored to. */
  readonly expected: Map<SnapshotId, string>
  /** Where a copy may be kept; nothing is there yet. */
  newCopy(): string
  /** 1, 2, 3 … */
  nextHour(): number
}

export function makePlace(): Place {
  const path = mkdtempSync(join(!isOnDisk && isWritable('/dev/shm') ? '/dev/shm' : tmpdir(), 'chainkeep-test-'))
  let copies = 0
  let hours = 0
  const place: Place = {
    path,
    repository: join(path, 'repository'),
    cache: join(path, 'cache'),
    source: join(path, 'source'),
    target: join(path, 'target'),
    expected: new Map(),
    newCopy: () => join(path, `copy-${++copies}`),
    nextHour: () => ++hours,
    [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }),
  }
  for (const directory of [place.repository, place.source]) mkdirSync(directory)
  return place
}

function isWritable(directory: string): boolean {
  try {
    if (!existsSync(directory)) return false
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Lets packs be closed after so many bytes and objects come one by one, so that little data fills many; until the end of the scope. */
export function limitPacks(bytes: Readonly<Record<PackClass, number>>): Disposable {
  const limits: Record<PackClass, number> = PACK_BYTES
  const before = { ...limits }
  const { add } = WriteSession.prototype
  Object.assign(limits, bytes)
  WriteSession.prototype.add = async function (kind, { ids, headers, records }) {
    let start = 0
    for (const [i, header] of headers.entries()) {
      const end = start + recordLength(header)
      const id = ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)
      await add.call(this, kind, { ids: id, headers: [header], records: records.subarray(start, end) })
      start = end
    }
  }
  return {
    [Symbol.dispose]() {
      Object.assign(limits, before)
      WriteSession.prototype.add = add
    },
  }
}
