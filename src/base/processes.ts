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
