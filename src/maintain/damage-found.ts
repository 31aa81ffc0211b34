import { displayBytes } from '../base/bytes.ts'
import type { ChainkeepError } from '../base/errors.ts'
import { idBytes, type PackId, type SnapshotId } from '../base/ids.ts'
import { type PackClass, type PackName, packClassOf } from '../format/pack.ts'
import type { ObjectIndex } from '../repository/object-index.ts'
import { OrdinalSet } from '../repository/ordinal-set.ts'
import type { Reference, ReferenceProblem } from '../repository/reachability.ts'
import type { Problem } from './problem.ts'
import type { DamagedObject } from './verify-packs.ts'

/** More are counted, but not kept. */
const MAX_LISTED_PROBLEMS = 1000

/** Collects what `check` finds: each file's and object's first problem. Memory: some 100 bytes for each. */
export class DamageFound {
  readonly listed: Problem[] = []
  /** Those in which anything is damaged. */
  readonly packs: Map<PackId, PackName> = new Map()
  /** Objects that are in a pack and damaged there, or may be. */
  readonly lost: OrdinalSet
  readonly #index: ObjectIndex
  readonly #seen = new Set<string>()
  readonly #missing: Pick<Reference, 'kind' | 'id'>[] = []

  constructor(index: ObjectIndex) {
    this.#index = index
    this.lost = new OrdinalSet(index.ordinalLimit)
  }

  get count(): number {
    return this.#seen.size
  }

  snapshot(id: SnapshotId, { message }: ChainkeepError): void {
    this.#add({ type: 'snapshot-unreadable', id, message })
  }

  /** `bytes` is how long the pack's file is, if that differs from what the index knows. */
  pack({ packClass, id }: PackName, { message }: ChainkeepError, bytes?: number): void {
    this.packs.set(id, { packClass, id })
    const indexed = this.#index.pack(id)
    if (indexed && bytes !== undefined) {
      const lengths = `the file has ${bytes} bytes where ${indexed.bytes} were written`
      const expectedBytes = indexed.bytes
      this.#add({ type: 'pack-length', packClass, id, bytes, expectedBytes, message: `${message}; ${lengths}` })
    } else this.#add({ type: 'pack-unreadable', packClass, id, message })
    if (!indexed) return
    const end = indexed.firstOrdinal + indexed.objects // which of them are damaged is not known
    for (let ordinal = indexed.firstOrdinal; ordinal < end; ordinal++) this.lost.add(ordinal)
  }

  parity({ packClass, id }: PackName): void {
    const message = `parity/${id} is damaged: "chainkeep repair packs" writes it again`
    this.#add({ type: 'parity-damaged', packClass, id, message })
  }

  settings({ message }: ChainkeepError): void {
    this.#add({ type: 'settings-damaged', message })
  }

  object({ pack, offset, entryNumber, kind, id, message }: DamagedObject): void {
    this.#add({ type: 'object-corrupt', kind, id, packClass: pack.packClass, pack: pack.id, offset, message })
    this.packs.set(pack.id, pack)
    const indexed = this.#index.pack(pack.id)
    if (indexed) this.lost.add(indexed.firstOrdinal + entryNumber)
  }

  reference(problem: ReferenceProblem): void {
    const { kind, id, path } = problem.reference
    if (problem.type === 'missing') {
      const message = `${kind} ${id} is missing, which ${displayBytes(path)} needs`
      if (this.#add({ type: 'object-missing', kind, id, path, message })) this.#missing.push({ kind, id })
      return
    }
    const { pack, offset, ordinal } = problem.location
    const object = { kind, id, packClass: packClassOf(kind), pack, offset, message: problem.error.message }
    if (problem.type === 'invalid') this.#add({ type: 'object-invalid', ...object, path })
    else {
      this.packs.set(pack, { packClass: object.packClass, id: pack })
      this.#add({ type: 'object-corrupt', ...object })
      this.lost.add(ordinal)
    }
  }

  /** Names the packs whose files have vanished with what is missing. Answers whether that explains all of it. */
  async explainMissing(): Promise<boolean> {
    const vanished = new Map<PackId, { packClass: PackClass; objects: number }>()
    let explained = 0
    for (const kind of ['chunk', 'list', 'tree', 'attributes'] as const) {
      const ids = this.#missing.filter((each) => each.kind === kind).map(({ id }) => idBytes(id))
      for (const pack of await this.#index.locateGone(kind, ids)) {
        if (!pack) continue
        const counted = vanished.get(pack.id) ?? { packClass: pack.packClass, objects: 0 }
        vanished.set(pack.id, { ...counted, objects: counted.objects + 1 })
        explained++
      }
    }
    for (const [id, { packClass, objects }] of vanished) {
      const needed = objects === 1 ? 'an object that is' : `${objects} objects that are`
      const message = `${packClass}/${id}: the file is gone, and with it ${needed} needed`
      this.#add({ type: 'pack-missing', packClass, id, objects, message }, true)
    }
    return explained === this.#missing.length
  }

  /** Answers whether it is new. */
  #add(problem: Problem, isFirst = false): boolean {
    const key = keyOf(problem)
    if (this.#seen.has(key)) return false
    this.#seen.add(key)
    if (isFirst) this.listed.unshift(problem)
    else this.listed.push(problem)
    this.listed.splice(MAX_LISTED_PROBLEMS)
    return true
  }
}

/** Two problems with one key are one. */
function keyOf(problem: Problem): string {
  if ('kind' in problem) return `${problem.kind}/${problem.id}`
  if (problem.type === 'settings-damaged') return problem.type
  return problem.type === 'parity-damaged' ? `parity/${problem.id}` : problem.id
}
