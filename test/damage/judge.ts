import { basename, dirname } from 'node:path'
import { expect } from 'vitest'
import type { CliResult } from '../helpers/run-cli.ts'
import type { Cell } from './cells.ts'
import type { Copy, MadeSnapshot, Scene } from './scene.ts'

/** What a check said. */
export interface Verdict {
  readonly code: number
  /** Every complaint and notice. */
  readonly said: string
  /** Names of damaged files that it gave: of packs and snapshots. */
  readonly types: readonly string[]
  /** By snapshot: the paths that suffer. */
  readonly suffering: ReadonlyMap<string, readonly string[]>
}

export async function runCheck(copy: Copy, ...flags: string[]): Promise<Verdict> {
  const result = await copy.run('check', '--json', ...flags)
  const complaints = result.stderr.split('\n').filter((line) => line !== '')
  const types = complaints.map((line) => String((JSON.parse(line) as { type?: string }).type ?? 'notice'))
  const summary = result.json().at(-1) as
    | { damaged_snapshots?: { id: string; losses: { items: { path: string }[] } }[] }
    | undefined
  const suffering = new Map(
    (summary?.damaged_snapshots ?? []).map(({ id, losses }) => [id, losses.items.map(({ path }) => path)]),
  )
  return { code: result.code, said: result.stderr, types, suffering }
}

export interface Restored {
  /** Files that should have been restored and were not. */
  readonly absent: readonly string[]
  readonly code: number
}

/**
 * Restores a snapshot and judges it: what is there has not one wrong byte; what is not was complained of by name, or by that
 * of a directory above it, and then the exit code is 1; if nothing is missing, it is 0.
 */
export async function restoreAndJudge(copy: Copy, id: string, expected: MadeSnapshot['contents']): Promise<Restored> {
  const { contents, code, stderr } = await copy.restore(id)
  for (const [path, bytes] of contents) {
    expect(expected.has(path), `${path} was never there`).toBe(true)
    expect(bytes.equals(expected.get(path)!), `${path} is as it was`).toBe(true)
  }
  const absent = [...expected.keys()].filter((path) => !contents.has(path))
  for (const path of absent) expect(isNamed(path, stderr), `${path} is named in: ${stderr}`).toBe(true)
  expect(code, stderr).toBe(absent.length === 0 ? 0 : 1)
  return { absent, code }
}

/** Whether a path or a directory above it is complained of. */
function isNamed(path: string, stderr: string): boolean {
  for (let each = path; ; each = dirname(each)) {
    if (stderr.includes(` ${each}: `)) return true
    if (each === '/') return false
  }
}

/** The files of a snapshot that need one of the objects. */
export function filesNeeding({ needs }: MadeSnapshot, lost: ReadonlySet<string>): string[] {
  return [...needs].flatMap(([path, names]) => ([...names].some((name) => lost.has(name)) ? [path] : []))
}

/** The objects of a pack that overlap with what the cell has damaged and are nowhere else. */
export function lostObjects(scene: Scene, { file, from, to }: Cell): Set<string> {
  const isHit = (start: number, end: number): boolean =>
    from === to ? start < from && from < end : start < to && from < end
  const objects = scene.packs.get(file) ?? []
  return new Set(objects.filter(({ start, end }) => isHit(start, end)).map(({ name }) => name))
}

export function allObjects(scene: Scene, { file }: Cell): Set<string> {
  return new Set((scene.packs.get(file) ?? []).map(({ name }) => name))
}

/** Whether every file is among the paths, or in one of them. */
export function covers(paths: readonly string[], files: readonly string[]): boolean {
  const known = new Set(paths)
  return files.every((file) => {
    for (let each = file; ; each = dirname(each)) {
      if (known.has(each)) return true
      if (each === '/') return false
    }
  })
}

export const nameOf = ({ kind, file }: Cell): string => `${kind === 'snapshot' ? 'snapshots' : kind}/${basename(file)}`

export function expectCode({ code, stderr }: CliResult, ...codes: number[]): void {
  expect(codes, stderr).toContain(code)
}
