import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { markOf, type ProcessMark } from '../../src/base/processes.ts'
import { decodeLock, encodeLock, type LockFile } from '../../src/format/lock.ts'
import type { Maintaining } from './maintaining.ts'
import type { MemoryFiles } from './memory-backend.ts'

/** A process of this machine, which is called `host`, that has ended. */
export function deadProcess(host: string): ProcessMark {
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  return markOf(host, pid)
}

/** One on another machine, that nobody here can ask. */
export function farProcess(host: string): ProcessMark {
  return { host, pid: 1, machine: 'another', boot: 'another', space: 'another', started: '1' }
}

/** Puts a lock of somebody else there, as `locks/ab`; it was touched at the time of its beginning. */
export function lockLeft(backend: MemoryFiles, lock: Partial<LockFile>): void {
  const sinceMs = lock.sinceMs ?? 1_700_000_000_000
  const whole = { mode: 'write', ...farProcess('host-2'), writer: '12'.repeat(8), knows: [], ...lock, sinceMs } as const
  backend.files.set('locks/ab', encodeLock(whole))
  backend.times.set('locks/ab', sinceMs)
}

/** As if the processes that hold the locks had been killed, and another had the number of this one. */
export function killHolders(it: Maintaining): void {
  for (const file of it.list('locks')) {
    const lock = decodeLock(readFileSync(it.pathOf(file)), file)
    writeFileSync(it.pathOf(file), encodeLock({ ...lock, started: '1' }))
  }
}
