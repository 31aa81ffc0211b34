import { ChainkeepError, throwIfInterrupted } from '../base/errors.ts'
import { ID_BYTES, idBytes, type ObjectId, objectIdAt, type SnapshotId } from '../base/ids.ts'
import { noProgress, type Progress } from '../base/progress.ts'
import type { Node } from '../format/node.ts'
import { type ObjectKind, RECORD_HEADER_BYTES } from '../format/object.ts'
import { walkChunks } from '../repository/lists.ts'
import { measureParity } from '../repository/measure-parity.ts'
import type { Location, ObjectIndex } from '../repository/object-index.ts'
import type { Repository } from '../repository/repository.ts'
import type { StoredSnapshot } from '../repository/snapshots.ts'
import { walkTree } from '../repository/trees.ts'

export interface RepositoryStats {
  /** Of the files in all snapshots together: what they would take without chainkeep. */
  readonly logicalBytes: number
  readonly files: number
  /** Chunks that the snapshots refer to, each counted once: before and after compression. */
  readonly chunks: number
  readonly uniqueBytes: number
  readonly uniqueStoredBytes: number
  /** Lists, trees and attribute sets that they refer to. */
  readonly metadataObjects: number
  readonly metadataStoredBytes: number
  /** All packs in the repository, and their bytes. What no snapshot refers to is in them, too. */
  readonly packs: number
  readonly storedBytes: number
  /** Of the parity beside them. */
  readonly parityBytes: number
  readonly snapshots: readonly SnapshotStats[]
}

export interface SnapshotStats {
  readonly id: SnapshotId
  readonly logicalBytes: number
  readonly files: number
  /** In chunks that no other of the snapshots refers to: before compression. */
  readonly exclusiveBytes: number
  /** What it alone takes in the repository, metadata included. */
  readonly exclusiveStoredBytes: number
}

export interface StatsOptions {
  readonly progress?: Progress
  readonly signal?: AbortSignal
}

/**
 * Measures what the given snapshots take. Reads all their metadata and no data. Every metadata object is expanded at most
 * twice, however many snapshots share it. Memory: 4 bytes for each object in the repository, and one tree object for each level.
 * Rejects CORRUPT if an object is missing.
 */
export async function measure(
  repository: Repository,
  snapshots: readonly StoredSnapshot[],
  { progress = noProgress, signal }: StatsOptions = {},
): Promise<RepositoryStats> {
  const index = await repository.index()
  const owners = new Owners(index, snapshots.length)
  for (const [i, { snapshot }] of snapshots.entries()) {
    progress({ phase: 'measuring snapshots', unit: 'snapshots', filesDone: i, totalFiles: snapshots.length })
    await claimTree(repository, owners, i + 1, snapshot.tree, signal)
  }
  const packs = [...index.packs()]
  const perSnapshot = snapshots.map(({ id, snapshot }, i) => ({
    id,
    logicalBytes: snapshot.summary.totalBytes,
    files: snapshot.summary.totalFiles,
    ...owners.exclusiveOf(i + 1),
  }))
  return {
    logicalBytes: perSnapshot.reduce((sum, each) => sum + each.logicalBytes, 0),
    files: perSnapshot.reduce((sum, each) => sum + each.files, 0),
    ...owners.totals,
    packs: packs.length,
    storedBytes: packs.reduce((sum, { bytes }) => sum + bytes, 0),
    parityBytes: await measureParity(repository.backend),
    snapshots: perSnapshot,
  }
}

/** Gives all below a root tree to snapshot number `owner`. */
async function claimTree(
  { load }: Repository,
  owners: Owners,
  owner: number,
  root: ObjectId,
  signal: AbortSignal | undefined,
): Promise<void> {
  const claim = (kind: ObjectKind, id: ObjectId): Promise<boolean> => owners.claim(owner, kind, idBytes(id))
  const trees = [root]
  for (let tree = trees.pop(); tree; tree = trees.pop()) {
    throwIfInterrupted(signal)
    for await (const node of walkTree(load, tree, (id) => claim('tree', id))) {
      if (node.type === 'directory') trees.push(node.tree)
      if (typeof node.attributes === 'string') await claim('attributes', node.attributes)
      for await (const { ids } of chunksOf(node)) await owners.claim(owner, 'chunk', ids)
    }
  }

  function chunksOf(node: Node): ReturnType<typeof walkChunks> {
    const { content, size } = node.type === 'file' ? node : { content: undefined, size: 0 }
    return walkChunks(load, content, size, (id) => claim('list', id))
  }
}

/** More than one snapshot refers to the object. */
const SEVERAL = 2 ** 32 - 1

/** Which snapshot, by number from 1 on, each object of the index belongs to; 0 is none. */
class Owners {
  readonly totals = { chunks: 0, uniqueBytes: 0, uniqueStoredBytes: 0, metadataObjects: 0, metadataStoredBytes: 0 }
  readonly #index: ObjectIndex
  readonly #ownerOf: Uint32Array
  readonly #exclusiveBytes: Float64Array
  readonly #exclusiveStoredBytes: Float64Array

  constructor(index: ObjectIndex, snapshotCount: number) {
    this.#index = index
    this.#ownerOf = new Uint32Array(index.ordinalLimit)
    this.#exclusiveBytes = new Float64Array(snapshotCount + 1)
    this.#exclusiveStoredBytes = new Float64Array(snapshotCount + 1)
  }

  /** Claims objects of one kind (packed ids) for `owner`. Whether that is news for any of them, so that what they refer to must be claimed, too. */
  async claim(owner: number, kind: ObjectKind, ids: Uint8Array): Promise<boolean> {
    let isNews = false
    for (const [i, location] of (await this.#index.locate(kind, ids)).entries()) {
      if (!location) throw missing(kind, objectIdAt(ids, i * ID_BYTES))
      const before = this.#ownerOf[location.ordinal]!
      if (before === owner || before === SEVERAL) continue
      isNews = true
      this.#ownerOf[location.ordinal] = before === 0 ? owner : SEVERAL
      if (before === 0) this.#countOnce(kind, location)
      this.#addExclusive(before === 0 ? owner : before, kind, location, before === 0 ? 1 : -1)
    }
    return isNews
  }

  exclusiveOf(owner: number): Pick<SnapshotStats, 'exclusiveBytes' | 'exclusiveStoredBytes'> {
    return {
      exclusiveBytes: this.#exclusiveBytes[owner]!,
      exclusiveStoredBytes: this.#exclusiveStoredBytes[owner]!,
    }
  }

  #addExclusive(owner: number, kind: ObjectKind, location: Location, sign: 1 | -1): void {
    if (kind === 'chunk') this.#exclusiveBytes[owner]! += sign * location.plainLength
    this.#exclusiveStoredBytes[owner]! += sign * storedBytes(location)
  }

  #countOnce(kind: ObjectKind, location: Location): void {
    if (kind === 'chunk') {
      this.totals.chunks++
      this.totals.uniqueBytes += location.plainLength
      this.totals.uniqueStoredBytes += storedBytes(location)
    } else {
      this.totals.metadataObjects++
      this.totals.metadataStoredBytes += storedBytes(location)
    }
  }
}

const storedBytes = ({ storedLength }: Location): number => RECORD_HEADER_BYTES + storedLength

function missing(kind: ObjectKind, id: ObjectId): ChainkeepError {
  return new ChainkeepError('CORRUPT', `${kind} ${id} is in no pack: "chainkeep check" tells what is missing`, {
    kind,
    id,
  })
}
