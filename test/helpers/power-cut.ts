import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import type { DiskImage, DiskOperation, StoredFile } from './memory-disk.ts'

/**
 * What a disk may hold after a power cut, by the abstract persistence model of T. S. Pillai et al., *All File Systems Are
 * Not Created Equal: On the Complexity of Crafting Crash-Consistent Applications* (OSDI 2014, §3.3), at its weakest for a
 * file system that journals, such as ext4, xfs or btrfs:
 *
 * - A name that was made, or removed, is sure to stay so once its folder was synced; syncing a file makes no name durable.
 *   Until then it may have happened on the disk or not, whatever happened to other names, before or after. One call is
 *   atomic: of a rename, the old name goes only if the new one comes.
 * - A file's bytes are sure once the file was synced. Those after that may be there, missing (the file is shorter), zeros, or there
 *   up to the middle and zeros from there.
 * - What was durable stays as it is.
 *
 * A killed process is the mildest case: everything happened, up to the cut.
 */
export class PowerCut {
  readonly #names: Map<string, number | typeof DIRECTORY>
  readonly #contents = new Map<number, Content>()
  readonly #temporary: string
  #pending: Change[] = []

  /** `temporary` is the folder that nobody reads: not every set of its names is tried, nor everything that may be in them. */
  constructor(start: DiskImage, temporary: string) {
    this.#temporary = temporary
    this.#names = new Map([...start.directories].map((path) => [path, DIRECTORY]))
    for (const [path, file] of start.files) {
      this.#names.set(path, file.inode)
      this.#contents.set(file.inode, { bytes: file.bytes, synced: file.bytes.length, modifiedMs: file.modifiedMs })
    }
  }

  /** The next operation takes effect. */
  apply(operation: DiskOperation): void {
    switch (operation.type) {
      case 'write':
        this.#write(operation.file, operation.bytes)
        break
      case 'sync':
        this.#contents.set(operation.file.inode, { ...this.#contentOf(operation.file), synced: Infinity })
        break
      case 'syncDirectory':
        this.#syncDirectory(operation.path)
        break
      case 'remove':
        this.#pending.push({ path: operation.path, becomes: undefined })
        break
      case 'makeDirectory':
        this.#pending.push({ path: operation.path, becomes: DIRECTORY })
        break
      case 'create':
      case 'link':
        this.#pending.push({ path: operation.path, becomes: operation.file.inode })
        break
      case 'rename': {
        const arrival: Change = { path: operation.path, becomes: operation.file.inode }
        this.#pending.push(arrival, { path: operation.from, becomes: undefined, onlyWith: arrival })
      }
    }
  }

  /** Every state that the disk may be in if the power is cut now, with a key that equal ones share. */
  *images(): Generator<{ readonly key: string; readonly image: DiskImage }> {
    for (const happened of this.#choices())
      for (const outcome of OUTCOMES) yield this.#image((change) => happened.has(change), outcome)
  }

  #write(file: StoredFile, bytes: Uint8Array): void {
    const { bytes: before, synced } = this.#contentOf(file)
    const durable = Math.min(synced, before.length)
    const { modifiedMs } = file
    this.#contents.set(file.inode, { bytes: Buffer.concat([before, bytes]), synced: durable, modifiedMs })
  }

  #contentOf({ inode, modifiedMs }: StoredFile): Content {
    return this.#contents.get(inode) ?? { bytes: new Uint8Array(0), synced: 0, modifiedMs }
  }

  #syncDirectory(directory: string): void {
    const isIn = ({ path }: Change): boolean => dirname(path) === directory
    const durable = new Set(this.#pending.filter(isIn))
    for (const change of durable) applyTo(this.#names, change)
    this.#pending = this.#pending
      .filter((change) => !durable.has(change))
      .map((change) => (change.onlyWith && durable.has(change.onlyWith) ? { ...change, onlyWith: undefined } : change))
  }

  /** Sets of pending changes that may have happened: of names outside the temporary folder, every set. */
  *#choices(): Generator<ReadonlySet<Change>> {
    const temporary = this.#pending.filter(({ path }) => dirname(path) === this.#temporary)
    const others = this.#pending.filter((change) => !temporary.includes(change))
    if (others.length > MAX_PENDING)
      throw new RangeError(`${others.length} names are pending: too many to try every set`)
    const additions = temporary.filter(({ becomes }) => becomes !== undefined)
    for (let bits = 0; bits < 2 ** others.length; bits++)
      for (const some of [temporary, [], additions]) {
        const happened = new Set([...some, ...others.filter((_, i) => (bits >> i) & 1)])
        for (const change of happened) if (change.onlyWith && !happened.has(change.onlyWith)) happened.delete(change)
        yield happened
      }
  }

  #image(hasHappened: (change: Change) => boolean, outcome: Outcome): { key: string; image: DiskImage } {
    const names = new Map(this.#names)
    for (const change of this.#pending) if (hasHappened(change)) applyTo(names, change)
    const directories = new Set<string>()
    const files = new Map<string, StoredFile>()
    const hash = createHash('sha1')
    for (const [path, what] of [...names].sort(byPath)) {
      if (dirname(path) !== path && !directories.has(dirname(path))) continue // its folder was lost, and so is it
      hash.update(`${path}\0${String(what)}\0`)
      if (what === DIRECTORY) directories.add(path)
      else {
        const { bytes, synced, modifiedMs } = this.#contents.get(what) ?? EMPTY
        const kind = dirname(path) === this.#temporary ? 'half' : outcome
        const left = bytesLeft(bytes, synced, kind)
        hash.update(`${left.length} ${left === bytes ? '' : kind}\0`)
        files.set(path, { inode: what, bytes: left, modifiedMs })
      }
    }
    return { key: hash.digest('base64'), image: { directories, files } }
  }
}

const DIRECTORY = 'directory'
/** 4096 sets. */
const MAX_PENDING = 12

/** What becomes of bytes that were written and not synced. */
const OUTCOMES = ['there', 'missing', 'zeros', 'half'] as const
type Outcome = (typeof OUTCOMES)[number]

interface Content {
  readonly bytes: Uint8Array
  /** How many of them are sure to stay. */
  readonly synced: number
  readonly modifiedMs: number
}

const EMPTY: Content = { bytes: new Uint8Array(0), synced: 0, modifiedMs: 0 }

/** A name that came to stand for a file or a folder, or for nothing. */
interface Change {
  readonly path: string
  readonly becomes: number | typeof DIRECTORY | undefined
  readonly onlyWith?: Change
}

function applyTo(names: Map<string, number | typeof DIRECTORY>, { path, becomes }: Change): void {
  if (becomes === undefined) names.delete(path)
  else names.set(path, becomes)
}

const byPath = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)

function bytesLeft(bytes: Uint8Array, synced: number, outcome: Outcome): Uint8Array {
  if (outcome === 'there' || synced >= bytes.length) return bytes
  if (outcome === 'missing') return bytes.subarray(0, synced)
  const sure = outcome === 'zeros' ? synced : synced + ((bytes.length - synced) >> 1)
  return Buffer.concat([bytes.subarray(0, sure), Buffer.alloc(bytes.length - sure)])
}
