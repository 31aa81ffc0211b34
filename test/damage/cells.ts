import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { parityShape } from './parity-shape.ts'
import type { Scene } from './scene.ts'

export type FileKind =
  | 'data'
  | 'meta'
  | 'parity'
  | 'snapshot'
  | 'config'
  | 'settings'
  | 'lock'
  | 'index'
  | 'known packs'
  | 'file cache'

/** A part of a file, and how it is damaged; or how the whole file is. */
export interface Cell {
  readonly kind: FileKind
  /** In the scene's folder. */
  readonly file: string
  readonly part: string
  readonly damage: string
  /** The new bytes; nothing if the file is to go. */
  readonly change: (bytes: Buffer) => Buffer | undefined
  /** Where bytes of the original are no more what they were: [from, to). */
  readonly from: number
  readonly to: number
}

interface Part {
  readonly name: string
  readonly start: number
  readonly end: number
}

/** Every cell of the matrix: each file of the scene × each of its parts × each kind of damage. */
export function listCells(scene: Scene): Cell[] {
  return scene.files.flatMap((file) => {
    const kind = kindOf(file)
    if (!kind) return []
    const bytes = readFileSync(join(scene.directory, file))
    const whole = [...wholeDamages(bytes, replacementOf(scene, kind, file))]
    const parts = partsOf(scene, kind, file, bytes).flatMap((part) => [...partDamages(bytes, part)])
    return [...parts, ...whole].map((cell) => ({ kind, file, ...cell }))
  })
}

/** Damages a file as the cell says. */
export function inflict({ file, change }: Cell, directory: string): void {
  const path = join(directory, file)
  const changed = change(readFileSync(path))
  rmSync(path)
  if (changed) writeFileSync(path, changed)
}

function kindOf(file: string): FileKind | undefined {
  const [top, folder, name] = file.split('/')
  if (top === 'cache') return name === 'packs' ? 'known packs' : name === 'files' ? 'file cache' : undefined
  if (folder === 'config' || folder === 'settings') return folder
  const kinds: Readonly<Record<string, FileKind>> = { snapshots: 'snapshot', locks: 'lock', index: 'index' }
  return folder === 'data' || folder === 'meta' || folder === 'parity' ? folder : kinds[folder!]
}

/** A sound file of the same kind: from another repository, where there is one of its kind in each. */
function replacementOf(scene: Scene, kind: FileKind, file: string): Buffer | undefined {
  const isAlone = kind === 'config' || kind === 'known packs' || kind === 'index'
  const files = isAlone ? scene.foreign : scene.files
  const suffix = file.replace(/\d/g, '').slice(-4) // of LevelDB's files, which are of several kinds
  const fits = (each: string): boolean => !isAlone || each.replace(/\d/g, '').endsWith(suffix)
  const own = readFileSync(join(scene.directory, file))
  for (const each of files) {
    if (each === file || kindOf(each) !== kind || !fits(each)) continue
    const bytes = readFileSync(join(scene.directory, isAlone ? 'foreign' : '', each))
    if (!bytes.equals(own)) return bytes
  }
  return undefined
}

function partsOf(scene: Scene, kind: FileKind, file: string, bytes: Buffer): Part[] {
  const objects = scene.packs.get(file)
  if (objects) {
    const end = bytes.length
    const trailer = end - 64 - objects.length * 48
    const parts = [
      { name: 'header', start: 0, end: 16 },
      { name: 'trailer', start: trailer, end: end - 64 },
      { name: 'footer', start: end - 64, end },
    ]
    const seen = new Set<string>()
    for (const { kind: objectKind, codec, start, end } of objects) {
      const name = `${objectKind} of codec ${codec}`
      if (seen.has(name)) continue
      seen.add(name)
      parts.push({ name: `header of a ${name}`, start, end: start + 32 }, { name, start: start + 32, end })
    }
    return parts
  }
  if (kind === 'parity') return partsOfParity(scene, file, bytes)
  if (kind === 'config' || kind === 'settings')
    return [
      { name: 'signature', start: 0, end: 8 },
      { name: 'length', start: 8, end: 12 },
      { name: 'body', start: 12, end: bytes.length - 32 },
      { name: 'checksum', start: bytes.length - 32, end: bytes.length },
    ]
  if (kind === 'snapshot')
    return [
      { name: 'header', start: 0, end: 32 },
      { name: 'manifest', start: 32, end: bytes.length },
    ]
  if (bytes.length < 8) return []
  if (kind === 'known packs')
    return [
      { name: 'ids', start: 0, end: bytes.length - 4 },
      { name: 'checksum', start: bytes.length - 4, end: bytes.length },
    ]
  if (kind === 'file cache')
    return [
      { name: 'head', start: 0, end: 8 },
      { name: 'records', start: 8, end: bytes.length },
    ]
  const third = Math.floor(bytes.length / 3)
  return [
    { name: 'beginning', start: 0, end: third },
    { name: 'middle', start: third, end: 2 * third },
    { name: 'end', start: 2 * third, end: bytes.length },
  ]
}

function partsOfParity(scene: Scene, file: string, bytes: Buffer): Part[] {
  const pack = [...scene.packs.keys()].find((each) => each.endsWith(file.slice(-64)))!
  const { tableBytes } = parityShape(readFileSync(join(scene.directory, pack)).length, scene.parity)
  const end = bytes.length
  return [
    { name: 'header', start: 0, end: 64 },
    { name: 'table', start: 64, end: 64 + tableBytes },
    { name: 'blocks', start: 64 + tableBytes, end: end - tableBytes - 64 },
    { name: 'second table', start: end - tableBytes - 64, end: end - 64 },
    { name: 'second header', start: end - 64, end },
  ]
}

type Damage = Omit<Cell, 'kind' | 'file'>

function* partDamages(bytes: Buffer, { name: part, start, end }: Part): Generator<Damage> {
  const middle = (start + end) >> 1
  const zeroed = { from: start + ((end - start) >> 2), to: middle + 1 }
  yield { part, damage: 'a bit flipped', from: middle, to: middle + 1, change: (it) => fill(it, middle, middle + 1) }
  yield { part, damage: 'a range zeroed', ...zeroed, change: (it) => zero(it, zeroed.from, zeroed.to) }
  yield { part, damage: 'cut off there', from: middle, to: bytes.length, change: (it) => it.subarray(0, middle) }
  yield {
    part,
    damage: 'bytes inserted',
    from: middle,
    to: middle,
    change: (it) => Buffer.concat([it.subarray(0, middle), seededBytes('inserted', 5), it.subarray(middle)]),
  }
}

function* wholeDamages(bytes: Buffer, replacement: Buffer | undefined): Generator<Damage> {
  const part = 'all'
  const all = { from: 0, to: bytes.length }
  const longer = { from: bytes.length, to: bytes.length }
  yield { part, damage: 'extended', ...longer, change: (it) => Buffer.concat([it, seededBytes('extended', 7)]) }
  yield { part, damage: 'emptied', ...all, change: () => Buffer.alloc(0) }
  yield { part, damage: 'deleted', ...all, change: () => undefined }
  if (replacement) yield { part, damage: 'replaced by another', ...all, change: () => replacement }
}

function fill(bytes: Buffer, from: number, to: number): Buffer {
  const changed = Buffer.from(bytes)
  for (let at = from; at < to; at++) changed[at]! ^= 0x10
  return changed
}

/** Where there were zeros alone, something else. */
function zero(bytes: Buffer, from: number, to: number): Buffer {
  const changed = Buffer.from(bytes).fill(0, from, to)
  return changed.equals(bytes) ? changed.fill(0xff, from, to) : changed
}
