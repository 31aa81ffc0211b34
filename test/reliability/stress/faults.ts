import { isComplete } from '../form.ts'
import type { Outcome } from './program.ts'
import type { Act } from './verbs.ts'

/** What a command may say and yet be done. */
const NOTICES = [
  /^removed the lock that process \d+ on \S+ left behind$/,
  /^this machine remembers nothing of the files at the last snapshot: all are read again$/,
  /^no full snapshot of these paths is left: this one is made full$/,
  /^a backup of these paths did not finish: what it has read and stored is not read again$/,
  /^(?:snapshot \S+ \([^)]+\) is|\d+ snapshots, such as \S+ \([^)]+\), are) dated (?:in the future|before what .*): \S.*$/,
  /^(?:one|\d+) .+; "chainkeep prune" frees the space$/,
  /^(?:one pack lacks|\d+ packs lack) the parity that is wanted; /,
  /^building the index from (?:one pack|\d+ packs)$/,
  /^the(?:re is no)? index in \S+ (?:yet|is in use): building one from (?:one pack|\d+ packs)$/,
]
/** Costs time, and nothing else: found by hours of the complete form, not by luck in the short one. */
const COSTLY = /^the index in \S+ (?:cannot be used|is damaged) \(.*\): building one from (?:one pack|\d+ packs)$/
const LOST_ITS_LOCK = /^this process was taken for dead, since its lock was not renewed for half an hour; try again$/

/** What is wrong with the way in which a process has ended, and with what it has said, in words. */
export function faultsIn(outcome: Outcome, act: Act): string[] {
  const { code, signal, cut, messages, isLate } = outcome
  if (isLate) return ['it takes more than a minute']
  const faults: string[] = []
  if (signal && signal !== cut) faults.push(`it ends with ${signal}`)
  for (const { type, text } of messages) {
    if (type === 'notice' && NOTICES.some((each) => each.test(text))) continue
    if (type === 'notice' && !isComplete && COSTLY.test(text)) continue
    if (type === 'exit_error' && code !== 0 && mayFailSo(text, outcome, act)) continue
    faults.push(`it says: ${text}`)
  }
  const hasSaidWhy = messages.some(({ type }) => type === 'exit_error')
  if (code !== 0 && !signal && !hasSaidWhy) faults.push(`it ends with ${code}, and does not say why`)
  return faults
}

function mayFailSo(text: string, { code, cut }: Outcome, { refusals }: Act): boolean {
  if (code === 130 || text.startsWith('interrupted'))
    return (cut === 'SIGINT' || cut === 'SIGTERM') && text.startsWith('interrupted') // while it was ending, perhaps
  if (cut === 'SIGSTOP' && code === 11 && LOST_ITS_LOCK.test(text)) return true
  return (code === 1 || code === 11 || code === null) && (refusals?.() ?? []).some((each) => each.test(text))
}
