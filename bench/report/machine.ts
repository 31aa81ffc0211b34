import { cpus, release, totalmem, type } from 'node:os'

/** What the figures were measured on, and when: lines of a Markdown list. */
export function describeMachine(now: Date): string[] {
  return [
    `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB of memory`,
    `${type()} ${release()}, Node ${process.version}`,
    now.toISOString().slice(0, 10),
  ].map((line) => `- ${line}`)
}
