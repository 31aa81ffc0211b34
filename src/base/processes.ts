import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { errnoOf } from './errors.ts'

/** Whether a process with this number runs on this machine. It need not be the one that once had the number. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) === 'EPERM'
  }
}

/** Which process this is, for others to find out whether it still runs. Fields are empty where the system does not tell. */
export interface ProcessMark {
  readonly host: string
  readonly pid: number
  /** Hashes: of what identifies the machine, its run since it was booted, and the space that `pid` is a number in. */
  readonly machine: string
  readonly boot: string
  readonly space: string
  /** When it was started, in ticks since the boot. */
  readonly started: string
}

export function markOf(host: string, pid: number = process.pid): ProcessMark {
  return {
    host,
    pid,
    machine: shortHash(tryRead('/etc/machine-id')),
    boot: shortHash(tryRead('/proc/sys/kernel/random/boot_id')),
    space: shortHash(tryLink('/proc/self/ns/pid')),
    started: startOf(pid),
  }
}

/** Whether the process runs, as far as can be told from here: not of one on another machine, or in another container. */
export function fateOf(mark: ProcessMark, here: ProcessMark): 'alive' | 'gone' | 'unknown' {
  if (mark.host !== here.host || mark.machine !== here.machine) return 'unknown'
  if (mark.boot !== here.boot) return here.machine === '' ? 'unknown' : 'gone'
  if (mark.space !== here.space) return 'unknown'
  if (!isAlive(mark.pid)) return 'gone'
  const started = startOf(mark.pid)
  if (started === '' || mark.started === '') return 'unknown' // another may have got its number
  return started === mark.started ? 'alive' : 'gone'
}

/** The 22nd field of /proc/PID/stat (man 5 proc); the second, a name in parentheses, may hold anything. */
function startOf(pid: number): string {
  const text = tryRead(`/proc/${pid}/stat`)
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

/** Of the id of a machine, man 5 machine-id asks that it be shown to nobody as it is. */
const shortHash = (text: string): string =>
  text === '' ? '' : createHash('sha256').update(`chainkeep ${text}`).digest('hex').slice(0, 16)

function tryRead(file: string): string {
  try {
    return readFileSync(file, 'latin1').trim()
  } catch {
    return ''
  }
}

function tryLink(file: string): string {
  try {
    return readlinkSync(file)
  } catch {
    return ''
  }
}
