import { randomBytes } from 'node:crypto'
import type { Backend, ByteRange, FileKind, UnnamedFile } from '../../src/backend/backend.ts'
import { ChainkeepError } from '../../src/base/errors.ts'

export interface MemoryFiles extends Backend {
  /** By kind and name: `data/ab…`. Whatever is put in here is stored, also what no backend would store. */
  readonly files: Map<string, Uint8Array>
  /** When they were written: `clock` says what time it is. */
  readonly times: Map<string, number>
}

export interface MemoryOptions {
  /** Of another backend, to share its files: as a second process would. */
  readonly like?: MemoryFiles
  readonly now?: () => number
}

/** A backend in memory that keeps the contract of all others: see test/backend/contract.ts. */
export function memoryBackend({ like, now = Date.now }: MemoryOptions = {}): MemoryFiles {
  const files = like?.files ?? new Map<string, Uint8Array>()
  const times = like?.times ?? new Map<string, number>()
  const writer = randomBytes(8).toString('hex')

  function find(kind: FileKind, name: string): Uint8Array {
    const bytes = files.get(pathOf(kind, name))
    if (!bytes) throw new ChainkeepError('NOT_FOUND', `${pathOf(kind, name)} is not there`)
    return bytes
  }

  async function put(kind: FileKind, name: string, parts: readonly Uint8Array[]): Promise<void> {
    const path = pathOf(kind, name)
    if (files.has(path)) throw new ChainkeepError('EXISTS', `${path} exists already`)
    files.set(path, Buffer.concat(parts))
    times.set(path, now())
  }

  /** Lies in `tmp` until it is published. */
  async function begin(kind: FileKind): Promise<UnnamedFile> {
    const unpublished = `tmp/${writer}${randomBytes(16).toString('hex')}`
    files.set(unpublished, new Uint8Array())
    times.set(unpublished, now())
    const file = await beginInMemory(async (name, parts) => {
      if (!files.delete(unpublished)) throw new ChainkeepError('NOT_FOUND', `${unpublished} was removed`)
      await put(kind, name, parts)
    })
    return { ...file, discard: async () => void files.delete(unpublished) }
  }

  return {
    location: 'memory',
    localDirectory: undefined,
    files,
    times,
    writer,
    put,
    async replace(kind, name, parts) {
      files.delete(pathOf(kind, name))
      await put(kind, name, parts)
    },
    putBriefly: put,
    begin,
    async get(kind: FileKind, name: string, range?: ByteRange) {
      const bytes = find(kind, name)
      if (!range) return Uint8Array.from(bytes)
      const { offset, length, into } = range
      if (offset + length > bytes.length)
        throw new ChainkeepError('TRUNCATED', `${pathOf(kind, name)}: ends early`, {
          file: pathOf(kind, name),
          offset: Math.max(bytes.length, offset),
        })
      const part = bytes.subarray(offset, offset + length)
      if (!into) return Uint8Array.from(part)
      into.set(part)
      return into.subarray(0, length)
    },
    async stat(kind, name) {
      return { size: find(kind, name).length, modifiedMs: times.get(pathOf(kind, name)) ?? 0 }
    },
    async *list(kind) {
      for (const path of [...files.keys()])
        if (path.startsWith(`${kind}/`) && NAME.test(path.slice(kind.length + 1))) yield path.slice(kind.length + 1)
    },
    async remove(kind, name) {
      files.delete(pathOf(kind, name))
    },
    async touch(kind, name) {
      find(kind, name)
      times.set(pathOf(kind, name), now())
    },
    async clock() {
      return now()
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** An unnamed file that is put whole when it is published. */
export async function beginInMemory(put: (name: string, parts: Uint8Array[]) => Promise<void>): Promise<UnnamedFile> {
  const written: Uint8Array[] = []
  return {
    async append(parts) {
      written.push(...parts.map((part) => Uint8Array.from(part)))
    },
    publish: (name) => put(name, written),
    async discard() {},
  }
}

const NAME = /^[0-9a-f]{1,64}$/

function pathOf(kind: FileKind, name: string): string {
  if (kind === 'config' || kind === 'settings' || kind === 'reserve') return kind
  if (!NAME.test(name)) throw new RangeError(`not a name of a stored file: ${name}`)
  return `${kind}/${name}`
}
