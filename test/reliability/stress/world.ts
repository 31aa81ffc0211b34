import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Dice } from '../../../bench/node/random.ts'
import { decodeLock, type LockFile } from '../../../src/format/lock.ts'
import type { Place } from '../place.ts'
import { churn } from '../source.ts'
import { Model } from './model.ts'
import type { Host } from './program.ts'
import { HOSTS } from './script.ts'

const SOURCES = 4
const SOURCE_MIB = 3
export const HOUR_MS = 3_600_000
const SKEWS_MS = [0, 5 * HOUR_MS, -7 * HOUR_MS]

/** Something that is backed up again and again. */
export interface Source {
  readonly path: string
  /** As it is now. */
  copy: string
  /** Backups that are at it: until they have ended it does not change. */
  users: number
}

/** Some hosts and what they back up into one repository. */
export interface World {
  readonly place: Place
  readonly hosts: readonly Host[]
  readonly sources: readonly Source[]
  readonly model: Model
  /** Processes that live. */
  readonly running: Set<number>
}

export function makeWorld(place: Place, dice: Dice): World {
  const hosts = Array.from({ length: HOSTS }, (_, i) => ({
    name: `${hostname()}-${i}`,
    skewMs: SKEWS_MS[i]!,
    cache: join(place.path, `cache-${i}`),
  }))
  const sources = Array.from({ length: SOURCES }, (_, i) => {
    const source = { path: join(place.source, `${i}`), copy: '', users: 0 }
    mkdirSync(source.path)
    for (let times = 0; times < 4; times++) change(source, place, dice)
    return source
  })
  return { place, hosts, sources, model: new Model(), running: new Set() }
}

/** Changes a source, unless it is being read. */
export function change(source: Source, place: Place, dice: Dice): void {
  if (source.users > 0) return
  churn(source.path, dice, SOURCE_MIB)
  source.copy = place.newCopy()
  execFileSync('cp', ['-a', '--reflink=auto', source.path, source.copy])
}

/** Removes copies that nothing must be restored to any more. */
export function removeCopies({ place, sources, model }: World): void {
  const needed = new Set([...sources.map(({ copy }) => copy), ...[...model.all()].map(({ copy }) => copy)])
  for (const name of readdirSync(place.path)) {
    const path = join(place.path, name)
    if (name.startsWith('copy-') && !needed.has(path)) rmSync(path, { recursive: true })
  }
}

/** As if a process that sleeps had not renewed its lock for so long. */
export function neglectLock(world: World, pid: number, ms: number): void {
  for (const { path, lock } of locks(world)) if (lock.pid === pid) age(path, ms)
}

/** As if so much time had gone by for all that nobody is at work on. */
export function letTimePass(world: World, ms: number): void {
  for (const { path, lock } of locks(world)) if (!world.running.has(lock.pid)) age(path, ms)
  for (const path of filesIn(world, 'condemned')) age(path, ms)
  // What is there of a process whose lock is about to come is younger than that process, and so than any that could remove it.
  if (world.running.size === 0) for (const path of filesIn(world, 'tmp')) age(path, ms)
}

export function filesIn({ place }: World, folder: string): string[] {
  const path = join(place.repository, folder)
  return existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : []
}

function* locks(world: World): Generator<{ readonly path: string; readonly lock: LockFile }> {
  for (const path of filesIn(world, 'locks'))
    try {
      yield { path, lock: decodeLock(readFileSync(path), path) }
    } catch {
      // released meanwhile
    }
}

function age(path: string, ms: number): void {
  try {
    const then = new Date(statSync(path).mtimeMs - ms)
    utimesSync(path, then, then)
  } catch {
    // gone meanwhile
  }
}
